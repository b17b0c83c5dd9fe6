"""Photos become encodings of a person, or a reason why not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from facetrail.errors import BadPicture
from facetrail.wire import Encoder
from index.gallery import EnrolledPerson, Gallery, Photo, checked_name, same_name
from index.portrait import decoded, portrait, read
from ingest.faces.face import Detector
from ingest.faces.jpeg import jpeg

#: Why a photo is not taken; a fixed list that programs may rely on.
REASONS = ("not_an_image", "no_face", "several_faces", "too_small", "duplicate_photo")


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
        picture = decoded(path, data)
        chip = portrait(path, picture, self.detector, min_face=self.min_face).chip
        encoding = self.encoder.encode(chip[None])[0]
        return Photo(
            digest=digest,
            source=path.name,
            encoding=encoding.astype("<f4").tobytes(),
            chip=jpeg(chip),
        )


def _duplicate(path: Path, owner: str, *, own: bool) -> Rejected:
    sentence = f"{path} is enrolled already, for {owner}; leave it out"
    return Rejected(path, "duplicate_photo", sentence, own)
