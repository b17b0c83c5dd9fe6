"""What a change of the gallery leaves to be done, ended by whoever comes next.

A removal leaves what was seen and said of the person, and Redis's files; a merge, and the naming of
a stranger, what was seen of the first of the two; an import, that whoever was erased before is
spoken of again. Each is noted in the script that changes the gallery, so that a command may be
killed at any moment: a worker's sweep ends it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis
import structlog
from redis.exceptions import LockError
from redis.lock import Lock

from facetrail.erasure import Erased, erase
from facetrail.errors import GalleryError
from facetrail.events import Person
from facetrail.sightings import hand_over
from index.reader import GalleryReader
from index.rewriting import Rewriting

#: Longer than any step of an erasure takes; after so long who was killed holds up nobody.
HELD_S = 120.0
#: A command waits so long for another process, and then leaves the rest to the workers.
MOST_WAITED_S = 10.0
#: People of whom marks are taken away in one step.
AT_ONCE = 1000

NOTHING = Erased(0, 0)

log = structlog.get_logger(__name__)


class Unfinished:
    """One at a time does it. wait_s: for whoever is at it."""

    def __init__(self, gallery: GalleryReader, *, wait_s: float = 0.0) -> None:
        self._gallery = gallery
        self._client, self._keys = gallery.client, gallery.keys
        self._stuck: set[bytes] = set()
        self.files = Rewriting(gallery.client, gallery.keys)
        self._lock = Lock(
            gallery.client,
            self._keys.gallery_finishing,
            timeout=HELD_S,
            blocking_timeout=wait_s,
        )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else ends anything meanwhile. Raises GalleryError."""
        if not self._lock.acquire():
            raise GalleryError("another process is still at what was begun before: try again later")
        with self._held():
            yield

    def finish(self) -> Erased:
        """Does what is left, if anything is and nobody is at it; what was erased."""
        if not self._is_any() or not self._lock.acquire():
            return NOTHING
        with self._held():
            erased = self.finish_alone()
            self.files.step()
            return erased

    def go_on(self) -> None:
        """Keeps the lock for as long again."""
        self._lock.reacquire()

    @contextmanager
    def _held(self) -> Iterator[None]:
        try:
            yield
        finally:
            try:
                self._lock.release()
            except LockError:  # it took longer than anything should; another one may be at it
                log.warning("the gallery's lock was lost", held_s=HELD_S)

    def finish_alone(self) -> Erased:
        """All but the files, by whoever holds the lock.

        Raises RedisError where something of whoever is to be erased can't be read.
        """
        self._welcome()
        for merge in self._client.smembers(self._keys.gallery_merging):
            self._merge(merge)
        begun = [one.decode() for one in self._client.smembers(self._keys.gallery_erasing)]
        if not begun:
            return NOTHING
        people = [one for one in begun if "/" not in one]
        sightings = [one for one in begun if "/" in one]
        erased = erase(self._client, self._keys, people, sightings)
        self._client.srem(self._keys.gallery_erasing, *begun)
        return erased

    def _welcome(self) -> None:
        """Whoever was imported is spoken of again, as themselves."""
        keys = self._keys
        while returned := self._client.srandmember(keys.gallery_returned, AT_ONCE):
            people = [person.decode() for person in returned]
            marks = [mark(person) for person in people for mark in (keys.erased, keys.merged)]
            self._client.unlink(*marks)
            self._client.srem(keys.gallery_returned, *returned)

    def _merge(self, merge: bytes) -> None:
        """One that can't be holds up no other: `people status` and the log tell of it."""
        one, into = merge.decode().split()
        try:
            self._hand_over(one, into)
        except redis.ResponseError as error:
            if merge not in self._stuck:
                log.error("what was seen of one can't be handed over", one=one, cause=str(error))
            self._stuck.add(merge)
            return
        self._client.srem(self._keys.gallery_merging, merge)

    def _is_any(self) -> bool:
        keys = self._keys
        return bool(
            self._client.exists(
                keys.gallery_merging,
                keys.gallery_erasing,
                keys.gallery_returned,
                keys.gallery_unwritten,
            )
        )

    def _hand_over(self, one: str, into: str) -> None:
        (person,) = self._gallery.find([into])
        # Whoever is gone, too, has been merged again, or erased.
        named = person.said if person else Person(id=into, name="")
        if hand_over(self._client, self._keys, one, named) < 0:
            erase(self._client, self._keys, [one])
