"""What was seen of whom: each appearance of a person or a stranger, with its best shot.

Kept by `workers/vote.lua` when an event is said; docs/sightings.md tells their life. An owner is
a person's id or a stranger's, such as unknown-7f3a.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import redis
import structlog

from facetrail.events import Person
from facetrail.snapshots import Snapshot
from facetrail.store import Keys
from facetrail.wire import Encodings, Quality

#: Times that somebody is named, merged and merged again, followed.
MOST_MERGED = 16
#: Stands before each script that works on sightings.
SIGHTINGS_LUA = (
    f"local MOST_MERGED = {MOST_MERGED}\n" + Path(__file__).with_name("sightings.lua").read_text()
)
_EXPIRE = SIGHTINGS_LUA + Path(__file__).with_name("expire.lua").read_text()
_HAND_OVER = SIGHTINGS_LUA + Path(__file__).with_name("hand_over.lua").read_text()

#: How long it is remembered who somebody has turned out to be, in seconds.
NAMED_S = 86_400
#: Sightings dropped in one step: others must not wait for all.
MOST_DROPPED = 200
#: Sightings read in one step.
CHUNK = 500
ENCODING_BYTES = 512

_STRANGER = re.compile(r"unknown-[0-9a-f]{4,16}")

log = structlog.get_logger(__name__)


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """One appearance of somebody in front of one camera.

    person, stranger: the owner's id; one of them is None. name: camera, stream, track and the
    person or `unknown`, with `/` between. first_at, last_at: ISO 8601, UTC. snapshot: a name for
    `facetrail.snapshots.get`, None where no pictures are kept. threshold: the distance it was
    judged by. quality: of the best shot. encoder: the id whose encoding is kept.
    """

    person: str | None
    stranger: str | None
    name: str
    first_at: str
    last_at: str
    snapshot: str | None
    camera: str
    zones: tuple[str, ...] = ()
    stream_epoch: int
    track: int
    threshold: float
    quality: Quality
    encoder: str

    @property
    def source(self) -> str:
        """Where a photo made of it comes from; it does not say who was recognised."""
        return f"{self.camera}/{self.stream_epoch}/{self.track}"


@dataclass(frozen=True, slots=True)
class Kept:
    """A sighting and the encoding of its best shot: 128 little-endian float32 of length 1."""

    sighting: Sighting
    encoding: bytes

    @property
    def numbers(self) -> Encodings:
        """Float32 `(128,)`."""
        return np.frombuffer(self.encoding, "<f4").astype(np.float32)


def names(keys: Keys) -> dict[str, str]:
    """The keys that `sightings.lua` works on: whole names, and starts of names."""
    return {
        "sightings": keys.sightings,
        "sighting_encodings": keys.sighting_encodings,
        "sighting_ends": keys.sighting_ends,
        "sightings_of": keys.sightings_of(""),
        "seen": keys.seen(""),
        "strangers_log": keys.strangers_log,
        "strangers_given": keys.strangers_given,
        "named_stranger": keys.named_stranger(""),
        "snapshot": keys.snapshot(""),
        "merged": keys.merged(""),
        "formerly": keys.formerly(""),
        "erased": keys.erased(""),
    }


def is_stranger(owner: str) -> bool:
    """Whether this is an id as strangers have them."""
    return _STRANGER.fullmatch(owner) is not None


def every(client: redis.Redis, keys: Keys) -> Iterator[Kept]:
    """All that are kept, in no order; those that come while this runs may be among them."""
    told: set[str] = set()
    for found in _chunks(client.hscan_iter(keys.sightings, count=CHUNK)):
        for kept in _read(client, keys, [name for name, _ in found], [line for _, line in found]):
            if kept.sighting.name not in told:  # Redis may tell one twice
                told.add(kept.sighting.name)
                yield kept


def named(client: redis.Redis, keys: Keys, name: str) -> Kept | None:
    """The sighting of that name, or None if it is kept no more."""
    line = client.hget(keys.sightings, name)
    return next(iter(_read(client, keys, [name.encode()], [line])), None)


def of(client: redis.Redis, keys: Keys, owner: str, *, most: int | None = None) -> list[Kept]:
    """A person's or a stranger's, the newest first; at most so many."""
    (wanted,) = names_of_each(client, keys, [owner], most=most)
    if not wanted:
        return []
    with client.pipeline(transaction=False) as pipe:
        pipe.hmget(keys.sightings, wanted)
        pipe.hmget(keys.sighting_encodings, wanted)
        return kept_of(wanted, *pipe.execute())


def names_of_each(
    client: redis.Redis, keys: Keys, owners: Sequence[str], *, most: int | None = None
) -> list[list[bytes]]:
    """What the sightings of each are named, the newest first; at most so many."""
    last = -1 if most is None else most - 1
    with client.pipeline(transaction=False) as pipe:
        for owner in owners:
            pipe.zrevrange(keys.sightings_of(owner), 0, last)
        found: list[list[bytes]] = pipe.execute()
    return found


def showing(client: redis.Redis, keys: Keys, encodings: Collection[bytes]) -> dict[str, bytes]:
    """The sightings, whoever's, that have one of these encodings: name to encoding."""
    entries = client.hscan_iter(keys.sighting_encodings, count=CHUNK)
    return {name.decode(): encoding for name, encoding in entries if encoding in encodings}


def expire(client: redis.Redis, keys: Keys) -> None:
    """Drops the sightings whose time is up, with the strangers of whom nothing is left."""
    script = client.register_script(_EXPIRE)
    call = msgspec.msgpack.encode({"keys": names(keys), "most": MOST_DROPPED})
    while script(keys=[keys.sighting_ends], args=[call]) == MOST_DROPPED:
        pass


def hand_over(client: redis.Redis, keys: Keys, owner: str, person: Person) -> int:
    """Makes all that was seen of somebody a person's; how many sightings that were.

    owner: a stranger's id, or another person's. Made again it changes nothing.
    """
    script = client.register_script(_HAND_OVER)
    json = msgspec.json.encode(person).decode()
    call = {"keys": names(keys), "owner": owner, "person": json, "remember": NAMED_S}
    return int(script(keys=[keys.sightings], args=[msgspec.msgpack.encode(call)]))


def turned_out(client: redis.Redis, keys: Keys, owner: str) -> str:
    """Who a stranger, or somebody who was merged into another one, is now: an id."""
    for _ in range(MOST_MERGED):
        if named := client.get(keys.named_stranger(owner)):
            owner = named.decode()
        elif merged := client.get(keys.merged(owner)):
            owner = msgspec.json.decode(merged, type=Person).id
        else:
            break
    return owner


def pictures(
    client: redis.Redis, keys: Keys, sightings: Sequence[Sighting]
) -> list[Snapshot | None]:
    """The snapshot of each, None where none is kept any more."""
    return snapshots(client, keys, [one.snapshot or one.name for one in sightings])


def snapshots(client: redis.Redis, keys: Keys, names: Sequence[str]) -> list[Snapshot | None]:
    """Those of these names, None where one is not kept any more."""
    if not names:
        return []
    found = client.mget([keys.snapshot(name) for name in names])
    return [None if data is None else msgspec.msgpack.decode(data, type=Snapshot) for data in found]


def _read(
    client: redis.Redis, keys: Keys, wanted: Sequence[bytes], lines: Sequence[bytes | None]
) -> list[Kept]:
    return kept_of(wanted, lines, client.hmget(keys.sighting_encodings, list(wanted)))


def kept_of(
    wanted: Sequence[bytes], lines: Sequence[bytes | None], encodings: Sequence[bytes | None]
) -> list[Kept]:
    """What these names have in Redis, without those that can't be read, or were dropped."""
    return [
        kept
        for name, line, encoding in zip(wanted, lines, encodings, strict=True)
        if line is not None and encoding is not None
        if (kept := _kept(name, line, encoding)) is not None
    ]


def _kept(name: bytes, line: bytes, encoding: bytes) -> Kept | None:
    try:
        sighting = msgspec.json.decode(line, type=Sighting)
    except msgspec.DecodeError as error:
        log.warning("sighting left out", sighting=name.decode(), cause=str(error))
        return None
    return Kept(sighting, encoding) if len(encoding) == ENCODING_BYTES else None


def _chunks(entries: Iterable[tuple[bytes, bytes]]) -> Iterator[list[tuple[bytes, bytes]]]:
    chunk: list[tuple[bytes, bytes]] = []
    for entry in entries:
        chunk.append(entry)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
