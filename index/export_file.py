"""The gallery becomes the lines of an export, person by person."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from facetrail.errors import GalleryError
from index.checked_photo import checked_photo
from index.export_lines import End, Head, line_of, person_line, photo_line
from index.person import EnrolledPerson
from index.photo import Photo, unpacked
from index.reader import GalleryReader

#: People asked for at once.
AT_ONCE = 20

#: A person with their photos, at one instant.
Whole = tuple[EnrolledPerson, list[Photo]]


class Export:
    """The gallery as lines. people, photos: how many so far."""

    def __init__(self, gallery: GalleryReader) -> None:
        """Raises GalleryError if nobody is enrolled."""
        encoder = gallery.encoder
        if encoder is None:
            raise GalleryError("nobody is enrolled, so there is nothing to export")
        self.encoder = encoder
        self.people = self.photos = 0
        self._gallery = gallery
        self._digest = hashlib.sha256()

    def lines(self) -> Iterator[bytes]:
        """All of the file, a line at a time; can be read once.

        Each person is as they were at one instant; whoever is removed meanwhile is left out.
        Raises GalleryError if the gallery moves to another encoder, or a photo can't be read.
        """
        for line in self._content():
            self._digest.update(line)
            yield line
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
            for person, photos in self._read(ids[start : start + AT_ONCE]):
                self.people += 1
                yield line_of(person_line(person))
                for photo in photos:
                    self.photos += 1
                    yield line_of(photo_line(_checked(person, photo)))

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


def _checked(person: EnrolledPerson, photo: Photo) -> Photo:
    """What an import would refuse is better known now."""
    try:
        return checked_photo(photo)
    except GalleryError as error:
        raise GalleryError(f"{person.name} can't be exported: {error}") from error
