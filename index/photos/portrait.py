"""A photo of one person: found, read, turned upright, its one face found and aligned."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facetrail.errors import BadPicture, BadSettings
from facetrail.wire import Quality
from index.photos.picture_header import declared_size, foreign_kind
from index.shown import shown
from ingest.faces.align import align
from ingest.faces.face import Detector, Face, Picture
from ingest.faces.quality import quality_of

PICTURES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif")
)
#: Called like pictures and not read here: named with the mend, and not passed over in silence.
FOREIGN = frozenset((".heic", ".heif", ".avif"))
#: A face of less than this share of the largest one's height is background, not a second person.
BACKGROUND = 0.5
#: Of a photo's file. More than any camera makes of a person.
MOST_BYTES = 50_000_000
#: Of a photo: 300 MB once decoded.
MOST_PIXELS = 100_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """The one face in front of a photo. chip: uint8 `(112, 112, 3)` RGB."""

    face: Face
    chip: Picture
    quality: Quality


def portrait(path: Path | str, picture: Picture, detector: Detector, *, min_face: int) -> Portrait:
    """path: to show. min_face: least height of the face, in pixels of the photo.

    Raises BadPicture.
    """
    faces = in_front(detector.detect(picture))
    if not faces:
        raise no_face(path)
    if len(faces) > 1:
        raise BadPicture(
            "several_faces",
            f"{shown(path)}: {len(faces)} faces were found, of which 1 may be; cut the photo to "
            "the person meant",
            value=len(faces),
            limit=1,
        )
    face = faces[0]
    check_height(path, face.height, min_face)
    chip = align(picture, face.landmarks)
    if chip is None:
        raise no_face(path)
    return Portrait(face, chip, quality_of(face, chip))


def check_height(path: Path | str, height: float, least: int) -> None:
    """Raises BadPicture for a face that is smaller than so many pixels."""
    if height < least:
        raise BadPicture(
            "too_small",
            f"{shown(path)}: the face is {height:.1f} pixels high; use a photo with at least "
            f"{least}",
            value=height,
            limit=least,
        )


def no_face(path: Path | str) -> BadPicture:
    return BadPicture(
        "no_face", f"{shown(path)}: no face was found; use a photo with one clear, frontal face"
    )


def in_front(faces: list[Face]) -> list[Face]:
    """Without the small faces in the background of a portrait."""
    tallest = max((face.height for face in faces), default=0.0)
    return [face for face in faces if face.height >= BACKGROUND * tallest]


def read(path: Path) -> bytes:
    """Raises BadPicture if the file can't be read, or is larger than photos are."""
    try:
        with path.open("rb") as file:
            data, size = file.read(MOST_BYTES + 1), os.fstat(file.fileno()).st_size
    except OSError as error:
        raise BadPicture(
            "not_an_image", f"{shown(path)} can't be read ({error.strerror}); check the path"
        ) from error
    if len(data) > MOST_BYTES:
        raise too_large(path, max(len(data), size))
    return data


def too_large(path: Path | str, size: int) -> BadPicture:
    """size: bytes of the file."""
    return BadPicture(
        "not_an_image",
        f"{shown(path)} has {size / 1e6:.1f} MB, and a photo {MOST_BYTES / 1e6:.0f} at most; save "
        "it smaller, as JPEG",
        value=size,
        limit=MOST_BYTES,
    )


def decoded(path: Path | str, data: bytes) -> Picture:
    """RGB `(h, w, 3)`, turned as its EXIF says. Raises BadPicture."""
    foreign = foreign_kind(data)
    if foreign is not None:
        raise BadPicture(
            "not_an_image", f"{shown(path)} is {foreign}, which is not read; save it as JPEG"
        )
    try:
        picture = _decoded(data) if _fits(path, data) else None
    except cv2.error:
        picture = None
    if picture is None:
        raise BadPicture(
            "not_an_image", f"{shown(path)} is not an image, whatever its name; use a JPEG or PNG"
        )
    return picture


def _fits(path: Path | str, data: bytes) -> bool:
    """Whether it says how large it will be. Raises BadPicture where that is too large."""
    width, height = declared_size(data) or (0, 0)
    if width * height > MOST_PIXELS:
        raise BadPicture(
            "not_an_image",
            f"{shown(path)} is {width}x{height}, {width * height / 1e6:.0f} megapixels; use a "
            f"photo of at most {MOST_PIXELS / 1e6:.0f}",
            value=width * height,
            limit=MOST_PIXELS,
        )
    return width > 0


def _decoded(data: bytes) -> Picture | None:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    return None if picture is None else np.ascontiguousarray(picture, np.uint8)


def called_like_a_picture(name: str) -> bool:
    """Whether a file's name is a picture's. Hidden ones are not: systems keep notes in them."""
    return Path(name).suffix.lower() in PICTURES | FOREIGN and not name.startswith(".")


def photos_in(folder: Path) -> list[Path]:
    """The files of a folder that are called like pictures, by name. Raises BadSettings.

    Those that can't be looked at are among them: to read them says why.
    """
    pictures = [p for p in _entries(folder) if called_like_a_picture(p.name)]
    return [p for p in pictures if os.path.isfile(p) or not os.path.exists(p)]


def folders_of(folder: Path) -> list[Path]:
    """The folders in a folder, by name. Raises BadSettings if it is none."""
    if not os.path.isdir(folder):
        raise BadSettings(f"{shown(folder)} is not a folder: name one with photos")
    return [p for p in _entries(folder) if os.path.isdir(p) and not p.name.startswith(".")]


def count_deeper(folder: Path) -> int:
    """How many photos lie in the folders of a folder, at any depth; links are not followed.

    Raises BadSettings.
    """
    count = 0
    for own in folders_of(folder):
        for _, folders, files in os.walk(own):
            folders[:] = [name for name in folders if not name.startswith(".")]
            count += sum(called_like_a_picture(name) for name in files)
    return count


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise BadSettings(
            f"{shown(folder)} can't be read ({error.strerror}): see to its permissions"
        ) from error
