"""People who are about to be imported wait under keys of their own, then all move in at once."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType

import msgspec
import redis

from facetrail.store import patient
from index.calibration import Calibration
from index.person import EnrolledPerson, Rule, spelling
from index.photo import ENROLLED, NEGATIVE, KeptPhoto, Photo
from index.reader import GalleryReader
from index.transfer.import_file import Item

#: What a killed import leaves is gone after this, in seconds.
TTL_S = 3600
#: A part is at most so long: what Lua can unpack, and what one request should carry.
PART_ITEMS, PART_BYTES = 500, 4_000_000
AT_ONCE = 1000


class Staging(AbstractContextManager["Staging"]):
    """Stages people and their photos; whoever did not move in when it closes is dropped.

    ids: of the people taken. clock: seconds, which only go up.
    """

    def __init__(
        self,
        gallery: GalleryReader,
        *,
        ttl_s: int = TTL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ids: list[str] = []
        self.photos = 0
        self._gallery = gallery
        self._name = secrets.token_hex(6)
        self._ttl_s, self._clock = ttl_s, clock
        self._renewed = clock()
        self._part = _Part()
        self._parts = 0

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(redis.RedisError):  # else their time runs out
            for names in _some(self._keys()):
                self._gallery.client.unlink(*names)

    def take(self, item: Item) -> None:
        """A person, or a photo of the person before. Raises RedisError."""
        if isinstance(item, EnrolledPerson):
            self.ids.append(item.id)
            self._part.add_person(item)
        else:
            self._part.add_photo(self.ids[-1], item)
            self.photos += 1
        if self._part.items >= PART_ITEMS or self._part.size >= PART_BYTES:
            self._write()

    def move_in(self, encoder: str, calibration: Calibration | None) -> list[str]:
        """What import.lua answers, once all of it has been taken. Raises RedisError."""
        self._write()
        gallery = self._gallery
        args = [
            encoder,
            msgspec.json.encode(calibration) if calibration else b"",
            *(self._parts, len(self.ids), self.photos, self._ttl_s),
        ]
        own = [gallery.keys.encoder(encoder), self._key(""), gallery.keys.gallery_returned]
        keys = [*gallery.script_keys, *own]
        with patient(gallery.client) as client:
            answer = gallery.script("import")(keys=keys, args=args, client=client)
        return [part.decode() for part in answer]

    def names_of(self, ids: Sequence[str]) -> list[str]:
        """Of people who were taken. Raises RedisError."""
        found: list[str] = []
        for number in range(self._parts):
            stored = self._gallery.client.hmget(self._key(f"people:{number}"), ids)
            people = (msgspec.json.decode(one, type=EnrolledPerson) for one in stored if one)
            found += (person.name for person in people)
        return found

    def _key(self, part: str) -> str:
        return self._gallery.keys.gallery_import(f"{self._name}:{part}")

    def _write(self) -> None:
        """Writes what was taken last, with its time to live, in one step."""
        hashes = {self._key(n): held for n, held in self._part.hashes(self._parts).items() if held}
        if hashes:
            with self._gallery.client.pipeline(transaction=True) as pipe:
                for key, held in hashes.items():
                    pipe.hset(key, mapping=held)
                    pipe.expire(key, self._ttl_s)
                pipe.execute()
            self._parts += 1
        self._part = _Part()
        if self._clock() - self._renewed > self._ttl_s / 4:
            self._renew()

    def _renew(self) -> None:
        for names in _some(self._keys()):
            with self._gallery.client.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.expire(name, self._ttl_s)
                pipe.execute()
        self._renewed = self._clock()

    def _keys(self) -> Iterator[str]:
        """Every key that may be there."""
        for number in range(self._parts + 1):
            yield from (self._key(f"{kind}:{number}") for kind in _Part.KINDS)
        for person in self.ids:
            yield from (self._key(_photos(person, kind)) for kind in (ENROLLED, NEGATIVE))
        yield self._key("done")


class _Part:
    """What is written in one step, as hashes. items: people and photos. size: bytes of chips."""

    KINDS = ("people", "names", "rules", "rows")

    def __init__(self) -> None:
        self.items = self.size = 0
        self._of: dict[str, dict[str, bytes]] = {kind: {} for kind in self.KINDS}
        self._photos: dict[str, dict[str, bytes]] = {}

    def add_person(self, person: EnrolledPerson) -> None:
        self.items += 1
        self._of["people"][person.id] = msgspec.json.encode(person)
        self._of["names"][spelling(person.name)] = person.id.encode()
        rule = Rule.of(person)
        if rule is not None:
            self._of["rules"][person.id] = msgspec.json.encode(rule)

    def add_photo(self, person: str, photo: Photo) -> None:
        self.items += 1
        self.size += len(photo.chip)
        kind = NEGATIVE if photo.negative else ENROLLED
        record = bytes.fromhex(person) + bytes([kind, 0]) + photo.encoding
        self._of["rows"][photo.digest] = person.encode() + record
        kept = KeptPhoto(photo.digest, photo.source, photo.chip)
        of = self._photos.setdefault(_photos(person, kind), {})
        of[photo.digest] = msgspec.msgpack.encode(kept)

    def hashes(self, number: int) -> dict[str, dict[str, bytes]]:
        """By the end of their key's name."""
        return {f"{kind}:{number}": held for kind, held in self._of.items()} | self._photos


def _photos(person: str, kind: int) -> str:
    return f"photos:{person}{':not' if kind == NEGATIVE else ''}"


def _some(names: Iterator[str]) -> Iterator[Sequence[str]]:
    some: list[str] = []
    for name in names:
        some.append(name)
        if len(some) == AT_ONCE:
            yield some
            some = []
    if some:
        yield some
