"""A sighting that somebody names: by an event's id or sequence, or by a picture's name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from unicodedata import category

import msgspec
import redis

from facetrail.errors import GalleryError
from facetrail.events import MatchEvent, readable
from facetrail.sightings import Kept, named
from facetrail.snapshots import Snapshot
from facetrail.store import Keys

_SEQUENCE = re.compile(r"\d{1,20}-\d{1,20}")
CHUNK = 1000


def sighting_said(client: redis.Redis, keys: Keys, said: str) -> Kept:
    """Raises GalleryError if none is kept of it."""
    for name in _names(client, keys, said):
        found = named(client, keys, name)
        if found is not None:
            return found
    raise GalleryError(
        f"{said[:80]!r} is no event whose picture is kept: take an event's `id`, `sequence` or "
        "`snapshot` from `facetrail watch --json`"
    )


def _names(client: redis.Redis, keys: Keys, said: str) -> Iterator[str]:
    """Of sightings that may be meant; none by what is not UTF-8, as a file's name may be."""
    if not any(category(sign) == "Cs" for sign in said):
        yield said
        yield from _picture_names(client, keys, said)


def chip_of(client: redis.Redis, keys: Keys, kept: Kept) -> Snapshot:
    """The picture of a sighting. Raises GalleryError."""
    sighting = kept.sighting
    found = client.get(keys.snapshot(sighting.snapshot or sighting.name))
    if found is None:
        raise GalleryError(f"no picture of {sighting.name} is kept any more: take a later event")
    return msgspec.msgpack.decode(found, type=Snapshot)


def _picture_names(client: redis.Redis, keys: Keys, said: str) -> Iterator[str]:
    """Of the event that was said, if the stream has it still."""
    if _SEQUENCE.fullmatch(said):
        entries = client.xrange(keys.events, min=said, max=said)
    else:
        entries = _newest_first(client, keys)
    for sequence, fields in entries:
        event = readable(fields.get(b"event", b""), sequence.decode())
        if event is not None and said in (event.id, event.sequence):
            yield from _of(event)
            return


def _of(event: MatchEvent) -> Iterator[str]:
    if event.snapshot is not None:
        yield event.snapshot
    track = f"{event.camera}/{event.stream_epoch}/{event.track}"
    yield f"{track}/{event.person.id if event.person else 'unknown'}"


def _newest_first(client: redis.Redis, keys: Keys) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    end = "+"
    while entries := client.xrevrange(keys.events, max=end, count=CHUNK):
        yield from entries
        end = f"({entries[-1][0].decode()}"
