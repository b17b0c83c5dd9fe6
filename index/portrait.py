"""A photo of one person: found, read, turned upright, its one face found and aligned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facetrail.errors import BadPicture, BadSettings
from ingest.faces.align import align
from ingest.faces.face import Detector, Face, Picture

PICTURES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"))
#: A face of less than this share of the largest one's height is background, not a second person.
BACKGROUND = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """The one face in front of a photo. chip: uint8 `(112, 112, 3)` RGB."""

    face: Face
    chip: Picture


def portrait(path: Path, picture: Picture, detector: Detector, *, min_face: int) -> Portrait:
    """min_face: least height of the face, in pixels of the photo. Raises BadPicture."""
    faces = in_front(detector.detect(picture))
    if not faces:
        raise no_face(path)
    if len(faces) > 1:
        raise BadPicture(
            "several_faces",
            f"{path}: {len(faces)} faces were found; cut the photo to the person meant",
        )
    face = faces[0]
    chip = align(picture, face.landmarks)
    if face.height < min_face or chip is None:
        raise BadPicture(
            "too_small",
            f"{path}: the face is {face.height:.0f} pixels high; use a photo with at "
            f"least {min_face}",
        )
    return Portrait(face, chip)


def no_face(path: Path) -> BadPicture:
    return BadPicture(
        "no_face", f"{path}: no face was found; use a photo with one clear, frontal face"
    )


def in_front(faces: list[Face]) -> list[Face]:
    """Without the small faces in the background of a portrait."""
    tallest = max((face.height for face in faces), default=0.0)
    return [face for face in faces if face.height >= BACKGROUND * tallest]


def read(path: Path) -> bytes:
    """Raises BadPicture if the file can't be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadPicture(
            "not_an_image", f"{path} can't be read ({error.strerror}); check the path"
        ) from error


def decoded(path: Path, data: bytes) -> Picture:
    """RGB `(h, w, 3)`, turned as its EXIF says. Raises BadPicture."""
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error:
        picture = None
    if picture is None:
        raise BadPicture(
            "not_an_image", f"{path} is not an image, whatever its name; use a JPEG or PNG"
        )
    return np.ascontiguousarray(picture[..., ::-1], np.uint8)


def photos_in(folder: Path) -> list[Path]:
    """The files of a folder that are called like pictures, by name."""
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in PICTURES and path.is_file()
    )


def folders_of(folder: Path) -> list[Path]:
    """The folders in a folder, by name. Raises BadSettings if it is none."""
    if not folder.is_dir():
        raise BadSettings(f"{folder} is not a folder: name one with photos")
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
