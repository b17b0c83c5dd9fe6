"""What people are called, read when somebody asks."""

from __future__ import annotations

from collections.abc import Iterable

from facetrail.events import Person
from index.reader import GalleryReader

#: People kept in memory; of a large gallery only those who come by are asked for.
MOST = 10_000


class Roll:
    """Names of the enrolled. Whoever was removed has none, once they are forgotten here."""

    def __init__(self, gallery: GalleryReader) -> None:
        self._gallery = gallery
        self._known: dict[str, Person] = {}
        self._forgotten = 0

    def get(self, person_id: str) -> Person | None:
        """None if they are gone. Raises RedisError."""
        return self.those([person_id]).get(person_id)

    def those(self, person_ids: Iterable[str]) -> dict[str, Person]:
        """By id, those who are still enrolled. Raises RedisError."""
        wanted = list(dict.fromkeys(person_ids))
        before = self._forgotten
        known = self._known
        unknown = [person for person in wanted if person not in known]
        read = {
            person.id: Person(id=person.id, name=person.name, external_id=person.external_id)
            for person in self._gallery.find(unknown)
            if person is not None
        }
        found = {person: known[person] for person in wanted if person in known} | read
        if before == self._forgotten:  # what was read is not older than what was forgotten
            self._known = ({} if len(known) > MOST else known) | read if read else known
        return found

    def forget(self, person_ids: Iterable[str]) -> None:
        """They have changed: whoever asks reads them again."""
        self._forgotten += 1
        gone = set(person_ids)
        self._known = {i: person for i, person in self._known.items() if i not in gone}

    def forget_all(self) -> None:
        self._forgotten += 1
        self._known = {}
