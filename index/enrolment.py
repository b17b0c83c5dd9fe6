"""Photos become encodings of a person, or a reason why not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facetrail.errors import BadPicture
from facetrail.wire import Encoder
from index.gallery import EnrolledPerson, Gallery, Photo, checked_name, same_name
from ingest.faces.align import align
from ingest.faces.face import Detector, Face, Picture
from ingest.faces.jpeg import jpeg

#: Why a photo is not taken; a fixed list that programs may rely on.
REASONS = ("not_an_image", "no_face", "several_faces", "too_small", "duplicate_photo")
PICTURES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"))
#: A face of less than this share of the largest one's height is background, not a second person.
BACKGROUND = 0.5


@dataclass(frozen=True, slots=True)
class Rejected:
    """A photo that was not taken.

    reason: one of REASONS. sentence: what to do about it. own: it is enrolled for this person,
    so nothing need be done.
    """

    path: Path
    reason: str
    sentence: str
    own: bool = False


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What became of one person's photos. person: None if none was accepted."""

    person: EnrolledPerson | None
    accepted: tuple[Path, ...]
    rejected: tuple[Rejected, ...]


class Enroller:
    """Enrols people by photos.

    min_face: least height of the face, in pixels of the photo.
    """

    def __init__(
        self, gallery: Gallery, detector: Detector, encoder: Encoder, *, min_face: int
    ) -> None:
        self.gallery = gallery
        self.detector = detector
        self.encoder = encoder
        self.min_face = min_face

    def enrol(self, name: str, paths: list[Path], external_id: str | None = None) -> Enrolment:
        """Takes the photos that can be taken, all in one change of the gallery.

        Raises EncoderMismatch, GalleryError.
        """
        name = checked_name(name)
        photos: dict[Path, Photo] = {}
        rejected: list[Rejected] = []
        for path in paths:
            try:
                data = read(path)
                digest = hashlib.sha256(data).hexdigest()
                again = any(photo.digest == digest for photo in photos.values())
                owner = "this person" if again else self.gallery.owner_of(digest)
                if owner is None:
                    photos[path] = self._photo(path, data, digest)
                else:
                    rejected.append(_duplicate(path, owner, own=again or same_name(owner, name)))
            except BadPicture as error:
                rejected.append(Rejected(path, error.reason, str(error)))
        person = None
        if photos:
            person = self.gallery.enrol(
                name, list(photos.values()), encoder=self.encoder.id, external_id=external_id
            )
        return Enrolment(person, tuple(photos), tuple(rejected))

    def _photo(self, path: Path, data: bytes, digest: str) -> Photo:
        chip = self.chip(path, decoded(path, data))
        encoding = self.encoder.encode(chip[None])[0]
        return Photo(
            digest=digest,
            source=path.name,
            encoding=encoding.astype("<f4").tobytes(),
            chip=jpeg(chip),
        )

    def chip(self, path: Path, picture: Picture) -> Picture:
        """The aligned chip of the one face in a photo. Raises BadPicture."""
        faces = in_front(self.detector.detect(picture))
        if not faces:
            raise BadPicture(
                "no_face", f"{path}: no face was found; use a photo with one clear, frontal face"
            )
        if len(faces) > 1:
            raise BadPicture(
                "several_faces",
                f"{path}: {len(faces)} faces were found; cut the photo to the person meant",
            )
        face = faces[0]
        chip = align(picture, face.landmarks)
        if face.height < self.min_face or chip is None:
            raise BadPicture(
                "too_small",
                f"{path}: the face is {face.height:.0f} pixels high; use a photo with at "
                f"least {self.min_face}",
            )
        return chip


def _duplicate(path: Path, owner: str, *, own: bool) -> Rejected:
    sentence = f"{path} is enrolled already, for {owner}; leave it out"
    return Rejected(path, "duplicate_photo", sentence, own)


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
