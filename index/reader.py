"""The gallery as it can be read: people, photos, encodings and the log of changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import redis

from facetrail.errors import GalleryError, NoSuchPerson
from facetrail.store import Keys
from index.calibration import Calibration
from index.person import EnrolledPerson, Rule, spelling
from index.photo import IN_STRING, Photo, Records, unpacked

#: What a log without entries has for a position.
START = "0-0"

_HERE = Path(__file__).parent / "scripts"
_COMMON = (_HERE / "gallery.lua").read_text()


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the log: these people's data changed, or this encoder's calibration.

    previous: the position of the entry before, so that a follower sees whether it missed one.
    """

    position: str
    previous: str
    people: tuple[str, ...] = ()
    encoder: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What a follower needs of one person. records: none of whoever is gone."""

    rule: Rule | None
    records: Records


class GalleryReader:
    """Reads the gallery; `Gallery` also changes it."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self.client = client
        self.keys = keys
        self._read = self.script("read")
        self._photos = self.script("photos")

    def script(self, name: str) -> redis.commands.core.Script:
        """One of those in the folder `scripts`."""
        return self.client.register_script(_COMMON + (_HERE / f"{name}.lua").read_text())

    @property
    def script_keys(self) -> list[str]:
        """The keys of every script, in the order of gallery.lua."""
        keys = self.keys
        return [
            keys.gallery_log,
            keys.gallery_people,
            keys.gallery_names,
            keys.gallery_encoder,
            keys.gallery_digests,
            keys.gallery_photos(""),
            keys.gallery_rows(""),
            keys.gallery_free,
            keys.gallery_slots,
            keys.gallery_rules,
            keys.gallery_next_encoder,
        ]

    @property
    def encoder(self) -> str | None:
        """The encoder the gallery is bound to, or None while it is empty."""
        found = self.client.get(self.keys.gallery_encoder)
        return found.decode() if found else None

    def people(self) -> list[EnrolledPerson]:
        """Everyone, by name."""
        found = self.client.hvals(self.keys.gallery_people)
        people = (msgspec.json.decode(value, type=EnrolledPerson) for value in found)
        return sorted(people, key=lambda person: person.name.casefold())

    def find(self, person_ids: Sequence[str]) -> list[EnrolledPerson | None]:
        """Of each id the person, or None where they are gone."""
        if not person_ids:
            return []
        found = self.client.hmget(self.keys.gallery_people, person_ids)
        return [value and msgspec.json.decode(value, type=EnrolledPerson) for value in found]

    def person(self, person_id: str) -> EnrolledPerson:
        """Raises NoSuchPerson."""
        (found,) = self.find([person_id])
        if found is None:
            raise NoSuchPerson(f"nobody with the id {person_id} is enrolled")
        return found

    def named(self, name: str) -> EnrolledPerson:
        """Raises NoSuchPerson."""
        wanted = spelling(name).encode(errors="surrogatepass")  # typed in another encoding
        found = self.client.hget(self.keys.gallery_names, wanted)
        if found is None:
            raise NoSuchPerson(
                f"nobody called {name[:40]!r} is enrolled: `facetrail people list` shows who is"
            )
        return self.person(found.decode())

    def photos(self, person_id: str) -> list[Photo]:
        """The photos of a person; none if there is no such person."""
        return [photo for photo in self._every_photo(person_id) if not photo.negative]

    def negatives(self, person_id: str) -> list[Photo]:
        """The photos that do not show a person."""
        return [photo for photo in self._every_photo(person_id) if photo.negative]

    def ask_photos(self, person_id: str, client: redis.Redis) -> list[bytes]:
        """What `photo.unpacked` reads; on a pipeline it comes later."""
        found: list[bytes] = self._photos(keys=self.script_keys, args=[person_id], client=client)
        return found

    def _every_photo(self, person_id: str) -> list[Photo]:
        return unpacked(self.ask_photos(person_id, self.client))

    def count_photos(self, person_ids: Sequence[str]) -> list[int]:
        """How many photos each person has."""
        with self.client.pipeline(transaction=False) as pipe:
            for person in person_ids:
                pipe.hlen(self.keys.gallery_photos(person))
            return [int(count) for count in pipe.execute()]

    def count_people(self) -> int:
        return int(self.client.hlen(self.keys.gallery_people))

    def count_encodings(self) -> int:
        """How many photos there are in all."""
        return int(self.client.hlen(self.keys.gallery_digests))

    def owner_of(self, digest: str) -> str | None:
        """The name of the person a photo is enrolled for."""
        found = self.client.hget(self.keys.gallery_digests, digest)
        return self.person(found[:12].decode()).name if found else None

    def calibration(self, encoder: str) -> Calibration | None:
        """What holds for an encoder's id in place of its own; None if nothing does.

        Raises GalleryError if it can't be read.
        """
        found = self.client.get(self.keys.encoder(encoder))
        try:
            return None if found is None else msgspec.json.decode(found, type=Calibration)
        except msgspec.MsgspecError as error:
            raise GalleryError(
                f"the calibration of encoder {encoder} in Redis can't be read ({error}): "
                "`facetrail calibrate --reset` removes it"
            ) from error

    def records(self, encoder: str) -> Iterator[Records]:
        """Everything that is encoded, a string of records at a time."""
        slots = int(self.client.get(self.keys.gallery_slots) or 0)
        for number in range(-(-slots // IN_STRING)):
            found = self.client.get(self.keys.gallery_rows(f"{encoder}:{number}"))
            yield Records(found or b"")

    def showing(self, encodings: Collection[bytes]) -> Iterator[tuple[str, Photo]]:
        """Everyone's photos that have one of these encodings, and whose they are."""
        owners: set[str] = set()
        for records in self.records(self.encoder or ""):
            owners.update(records.owners_of(encodings))
        for owner in owners:
            for photo in self._every_photo(owner):
                if photo.encoding in encodings:
                    yield owner, photo

    def count_slots(self) -> int:
        """At most so many encodings will `records` give."""
        return int(self.client.get(self.keys.gallery_slots) or 0)

    def rules(self) -> dict[str, Rule]:
        """By id, of those who have any."""
        found = self.client.hgetall(self.keys.gallery_rules)
        return {person.decode(): _rule(value) for person, value in found.items()}

    def held(self, person_ids: Sequence[str]) -> tuple[str | None, dict[str, Held]]:
        """The gallery's encoder, and what a follower needs of these people, at one instant."""
        encoder, *found = self._read(keys=self.script_keys, args=list(person_ids))
        pairs = zip(found[::2], found[1::2], strict=True)
        held = {
            person: Held(_rule(rule) if rule else None, Records(records))
            for person, (rule, records) in zip(person_ids, pairs, strict=True)
        }
        return encoder.decode() or None, held

    def position(self) -> str:
        """The newest entry of the log."""
        newest = self.client.xrevrange(self.keys.gallery_log, count=1)
        return newest[0][0].decode() if newest else START

    def changes(self, after: str, *, block_ms: int) -> Iterator[Change]:
        """The entries after a position, waiting `block_ms` for the first."""
        found = self.client.xread({self.keys.gallery_log: after}, count=1000, block=block_ms)
        entries: Iterable[tuple[bytes, dict[bytes, bytes]]] = found[0][1] if found else []
        for position, fields in entries:
            previous, people, encoder = (
                fields.get(name, b"").decode() for name in (b"previous", b"people", b"encoder")
            )
            yield Change(position.decode(), previous, tuple(people.split()), encoder or None)


def order(position: str) -> tuple[int, ...]:
    """Positions as numbers, which can be compared."""
    return tuple(int(part) for part in position.split("-"))


def _rule(value: bytes) -> Rule:
    return msgspec.json.decode(value, type=Rule)
