"""The gallery becomes the lines of an export, person by person."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from facetrail.errors import GalleryError
from index.person import EnrolledPerson
from index.photo import Photo, unpacked
from index.reader import GalleryReader
from index.transfer.export_lines import End, Head, line_of, person_line, photo_line
from index.transfer.export_order import Order

#: People asked for at once.
AT_ONCE = 20
#: So often an export is begun, if people are moved or removed whenever it is made.
TRIES = 5

#: A person with their photos, at one instant.
Whole = tuple[EnrolledPerson, list[Photo]]
#: Makes a file of these lines, whatever it has made before.
Fill = Callable[[Iterator[bytes]], None]


class Export:
    """The gallery as lines."""

    def __init__(self, gallery: GalleryReader) -> None:
        """Raises GalleryError if nobody is enrolled."""
        self._gallery = gallery
        self._begin()

    def _begin(self) -> None:
        encoder = self._gallery.encoder
        if encoder is None:
            raise GalleryError("nobody is enrolled, so there is nothing to export")
        self.encoder = encoder
        self._start = self._gallery.position()
        self._order = Order()
        self._digest = hashlib.sha256()

    @property
    def people(self) -> int:
        """How many so far."""
        return self._order.people

    @property
    def photos(self) -> int:
        """How many so far."""
        return self._order.photos

    def write(self, fill: Fill) -> None:
        """Has the file filled; anew, where the gallery changes so that lines would not fit.

        Raises GalleryError, if it does so each time, too; and what `fill` raises.
        """
        for left in reversed(range(TRIES)):
            try:
                fill(self.lines())
                return
            except GalleryError:
                if not left or self._gallery.position() == self._start:
                    raise

    def lines(self) -> Iterator[bytes]:
        """All of the file, a line at a time, as the gallery is from now on.

        Each person is as they were at one instant; nobody is in it who was removed meanwhile, and
        no photo that went from one person to another is there twice, or lost. Raises GalleryError
        where that can't be, if the gallery moves to another encoder, or for what can't be imported.
        """
        self._begin()
        for line in self._content():
            self._digest.update(line)
            yield line
        self._check_unmoved()
        yield line_of(End(people=self.people, photos=self.photos, sha256=self._digest.hexdigest()))

    def _content(self) -> Iterator[bytes]:
        yield line_of(
            Head(
                encoder=self.encoder,
                created_at=datetime.now(UTC).isoformat(timespec="seconds"),
                calibration=self._gallery.calibration(self.encoder),
            )
        )
        found = self._gallery.client.hkeys(self._gallery.keys.gallery_people)
        ids = sorted(person.decode() for person in found)
        for start in range(0, len(ids), AT_ONCE):
            for whole in self._read(ids[start : start + AT_ONCE]):
                yield from self._checked(*whole)

    def _read(self, ids: Sequence[str]) -> Iterator[Whole]:
        """Each of them that is there, with all photos, at one instant."""
        keys = self._gallery.keys
        with self._gallery.client.pipeline(transaction=True) as pipe:
            pipe.get(keys.gallery_encoder)
            pipe.hmget(keys.gallery_people, ids)
            for person in ids:
                self._gallery.ask_photos(person, pipe)
            encoder, people, *photos = pipe.execute()
        if encoder is not None and encoder.decode() != self.encoder:
            raise GalleryError(
                f"the gallery has moved from {self.encoder} to {encoder.decode()} meanwhile: "
                "export it again"
            )
        for stored, parts in zip(people, photos, strict=True):
            if stored is not None:
                yield msgspec.json.decode(stored, type=EnrolledPerson), unpacked(parts)

    def _checked(self, person: EnrolledPerson, photos: Sequence[Photo]) -> list[bytes]:
        """Their lines. What an import would refuse is better known now."""
        try:
            lines = [line_of(person_line(self._order.person(person)))]
            lines += [line_of(photo_line(self._order.photo(photo))) for photo in photos]
            self._order.close()
        except GalleryError as error:
            raise GalleryError(f"{person.name} can't be exported: {error}") from error
        return lines

    def _check_unmoved(self) -> None:
        """An entry of the log that names several people moves photos between them."""
        position, changed = self._start, set[str]()
        while changes := list(self._gallery.changes(position, block_ms=1)):
            for change in changes:
                if change.previous != position or len(change.people) > 1:
                    raise _moved()
                changed.update(change.people)
                position = change.position
        exported = [person for person in changed if self._order.has(person)]
        if None in self._gallery.find(exported):
            raise _moved()


def _moved() -> GalleryError:
    return GalleryError(
        "people were merged, split, imported or removed while they were exported: export them "
        "again when nobody does"
    )
