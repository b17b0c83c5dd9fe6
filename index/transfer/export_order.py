"""What a file of exported people holds throughout, whoever reads or writes it."""

from __future__ import annotations

import re

from facetrail.errors import GalleryError
from index.person import EnrolledPerson, checked_person, spelling
from index.photo import Photo
from index.transfer.checked_photo import checked_photo
from index.transfer.export_lines import is_time

_ID = re.compile(r"[0-9a-f]{12}")


class Order:
    """Holds that each person and photo is one the gallery can keep, and is there once."""

    def __init__(self) -> None:
        self.people = self.photos = 0
        self._ids: set[bytes] = set()
        self._names: set[str] = set()
        self._digests: set[bytes] = set()
        self._last: EnrolledPerson | None = None
        self._shown = False  # by a photo of theirs

    def has(self, person_id: str) -> bool:
        """Whether the person was there."""
        return bytes.fromhex(person_id) in self._ids

    def person(self, person: EnrolledPerson) -> EnrolledPerson:
        """Raises GalleryError."""
        self.close()
        person = checked_person(person)
        if not _ID.fullmatch(person.id):
            raise GalleryError(
                f"{person.name}: expected an id of 12 digits, got {person.id[:20]!r}"
            )
        if not is_time(person.enrolled_at):
            raise GalleryError(
                f"{person.name}: was enrolled at {person.enrolled_at[:40]!r}, no time"
            )
        raw, name = bytes.fromhex(person.id), spelling(person.name)
        if raw in self._ids or name in self._names:
            raise GalleryError(f"{person.name} is there twice, by name or by id")
        self._ids.add(raw)
        self._names.add(name)
        self._last, self._shown = person, False
        self.people += 1
        return person

    def photo(self, photo: Photo) -> Photo:
        """Raises GalleryError."""
        if self._last is None:
            raise GalleryError("expected a person before the first photo")
        photo = checked_photo(photo)
        raw = bytes.fromhex(photo.digest)
        if raw in self._digests:
            raise GalleryError(f"photo {photo.digest[:12]} is there twice")
        self._digests.add(raw)
        self._shown |= not photo.negative
        self.photos += 1
        return photo

    def close(self) -> None:
        """The last person has come to their end. Raises GalleryError."""
        if self._last is not None and not self._shown:
            raise GalleryError(f"{self._last.name} has no photo, expected one at least")
