"""What people are called, read when somebody asks."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from facetrail.events import Person
from index.reader import GalleryReader

#: People kept in memory; of a large gallery only those who come by are asked for.
MOST = 10_000


class Roll:
    """Names of the enrolled, for any thread. Whoever was removed has none, once forgotten here."""

    def __init__(self, gallery: GalleryReader) -> None:
        self._gallery = gallery
        self._lock = threading.Lock()
        self._known: dict[str, Person] = {}
        self._forgotten = 0

    def get(self, person_id: str) -> Person | None:
        """None if they are gone. Raises RedisError."""
        return self.those([person_id]).get(person_id)

    def those(self, person_ids: Iterable[str]) -> dict[str, Person]:
        """By id, those who are still enrolled. Raises RedisError."""
        wanted = list(dict.fromkeys(person_ids))
        with self._lock:
            before = self._forgotten
            found = {person: self._known[person] for person in wanted if person in self._known}
        read = {
            person.id: person.said
            for person in self._gallery.find([one for one in wanted if one not in found])
            if person is not None
        }
        with self._lock:
            if before == self._forgotten:  # what was read is not older than what was forgotten
                if len(self._known) > MOST:
                    self._known.clear()
                self._known |= read
        return found | read

    def forget(self, person_ids: Iterable[str]) -> None:
        """They have changed: whoever asks reads them again."""
        with self._lock:
            self._forgotten += 1
            for person in person_ids:
                self._known.pop(person, None)

    def forget_all(self) -> None:
        with self._lock:
            self._forgotten += 1
            self._known.clear()
