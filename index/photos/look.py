"""One photo: a face that meets the limits, or the reason why there is none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from facetrail.errors import BadPicture, NoSuchPerson
from facetrail.wire import CHIP_SHAPE
from index.gallery import Gallery
from index.person import same_name
from index.photos.photo_limits import PhotoLimits
from index.photos.photo_source import AlignedChip, Source
from index.photos.portrait import decoded, portrait
from ingest.faces.face import Detector, Picture


@dataclass(frozen=True, slots=True)
class Rejected:
    """A photo that was not taken.

    photo: its name. reason: one of `index.enrolment.REASONS`. sentence: what to do about it.
    value, limit: what was measured, and what would have been taken, where that is a number.
    own: it was enrolled for this person before, so nothing need be done.
    """

    photo: str
    reason: str
    sentence: str
    value: float | None = None
    limit: float | None = None
    own: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class FoundFace:
    """The face of a photo. digest: SHA-256 of the file. chip: uint8 `(112, 112, 3)` RGB."""

    source: Source
    digest: str
    chip: Picture


class Look:
    """Looks at photos; at several at once if the detector may be used so."""

    def __init__(self, gallery: Gallery, detector: Detector, limits: PhotoLimits) -> None:
        self.gallery = gallery
        self.detector = detector
        self.limits = limits

    def at(self, source: Source, name: str) -> FoundFace | Rejected:
        """A photo of the person of that name. What is enrolled is not even decoded."""
        try:
            data = source.jpeg if isinstance(source, AlignedChip) else source.read()
            digest = hashlib.sha256(data).hexdigest()
            owner = self.owner_of(digest)
            if owner is not None:
                return enrolled_already(source, owner, name)
            return FoundFace(source, digest, self._chip(source, data))
        except BadPicture as error:
            return Rejected(source.name, error.reason, str(error), error.value, error.limit)

    def owner_of(self, digest: str) -> str | None:
        """The name of the person a photo is enrolled for."""
        try:
            return self.gallery.owner_of(digest)
        except NoSuchPerson:  # removed between two questions
            return None

    def _chip(self, source: Source, data: bytes) -> Picture:
        picture = decoded(source.name, data)
        if isinstance(source, AlignedChip):
            self.limits.check(source.name, source.quality)
            if picture.shape != CHIP_SHAPE:
                raise BadPicture("not_an_image", f"{source.name} is no 112x112 chip; leave it out")
            return picture
        found = portrait(source.name, picture, self.detector, min_face=self.limits.min_face)
        self.limits.check(source.name, found.quality)
        return found.chip


def enrolled_already(source: Source, owner: str, name: str) -> Rejected:
    """owner: whom the photo is enrolled for. name: whom it was given for."""
    return Rejected(
        source.name,
        "duplicate_photo",
        f"{source.name} is enrolled already, for {owner}; leave it out",
        own=same_name(owner, name),
    )
