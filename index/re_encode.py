"""The gallery moves to another encoder, from its stored chips, while the old one serves."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np

from facetrail.errors import GalleryError
from facetrail.wire import CHIP_SHAPE, Chips, Encoder
from index.gallery import Gallery
from index.photo import Photo

#: Chips of one run of the encoder.
BATCH = 32
#: So long nobody else may begin after one that says no more, in seconds: many times a batch's.
LEASE_S = 60
#: Wraps the people to show how far it has come.
Bar = Callable[[list[str]], Iterable[str]]


class ReEncoding:
    """Encodes every chip of the gallery anew and then switches, in one step.

    Enrolments and removals go on meanwhile. What was begun and not finished is begun again, but
    two at once would undo each other's work: the second is refused.
    """

    def __init__(self, gallery: Gallery, encoder: Encoder) -> None:
        self._gallery = gallery
        self._encoder = encoder
        self._caller = secrets.token_hex(8)
        self._script = gallery.script("re_encode")
        self._keys = [*gallery.script_keys, gallery.keys.gallery_next_encoder_by]

    def run(self, bar: Bar = iter) -> int:
        """The number of photos encoded. Raises GalleryError; then the old encoder serves on."""
        self._begin()
        position = self._gallery.position()
        count = self._fill(bar([person.id for person in self._gallery.people()]))
        while True:
            changes = list(self._gallery.changes(position, block_ms=1))
            if changes and changes[0].previous != position:
                raise GalleryError("the gallery changed too fast to be followed; try again")
            people = dict.fromkeys(person for change in changes for person in change.people)
            count += self._fill(people)
            position = changes[-1].position if changes else position
            if self._call("finish", position) == b"ok":
                return count

    def cancel(self) -> None:
        """Drops what was encoded so far, unless it is somebody else's."""
        self._call("cancel")

    def _begin(self) -> None:
        answer = self._call("begin")
        if answer == b"empty":
            raise GalleryError("nobody is enrolled, so there is nothing to encode anew")
        if answer == b"same":
            raise GalleryError(f"the gallery is of encoder {self._encoder.id} already")
        if answer == b"busy":
            raise GalleryError(
                f"somebody is moving the gallery to another encoder: wait until that is done, or "
                f"{LEASE_S} s if it was killed"
            )

    def _fill(self, people: Iterable[str]) -> int:
        count = 0
        for photos in _batches(photo for person in people for photo in self._every(person)):
            encodings = self._encoder.encode(np.stack([_picture(photo) for photo in photos]))
            rows = [row.astype("<f4").tobytes() for row in encodings]
            pairs = zip((photo.digest for photo in photos), rows, strict=True)
            self._call("fill", *(part for pair in pairs for part in pair))
            count += len(photos)
        return count

    def _every(self, person: str) -> list[Photo]:
        return [*self._gallery.photos(person), *self._gallery.negatives(person)]

    def _call(self, op: str, *args: str | bytes) -> bytes:
        given = [op, self._encoder.id, self._caller, LEASE_S, *args]
        answer: bytes = self._script(keys=self._keys, args=given)
        if answer == b"gone" and op != "cancel":
            raise GalleryError(
                "somebody else has moved the gallery meanwhile: `facetrail people status` says "
                "to which encoder"
            )
        return answer


def _batches(photos: Iterable[Photo]) -> Iterator[list[Photo]]:
    batch: list[Photo] = []
    for photo in photos:
        batch.append(photo)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _picture(photo: Photo) -> Chips:
    """Uint8 `(112, 112, 3)` RGB of the stored chip. Raises GalleryError."""
    picture = cv2.imdecode(np.frombuffer(photo.chip, np.uint8), cv2.IMREAD_COLOR)
    if picture is None or picture.shape != CHIP_SHAPE:
        raise GalleryError(
            f"the chip of photo {photo.digest[:12]} ({photo.source}) can't be read: "
            "enrol that photo anew, or remove its person"
        )
    return np.ascontiguousarray(picture[..., ::-1], np.uint8)
