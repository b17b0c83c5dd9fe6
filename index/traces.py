"""What a person leaves behind, and whether it is anywhere in Redis."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import redis

from facetrail import sightings
from facetrail.store import Keys
from index.gallery import Gallery
from index.person import EnrolledPerson

CHUNK = 500
#: Of a picture: a part that no other has. JPEGs begin alike.
PART = slice(-256, None)


class Trace(msgspec.Struct, frozen=True):
    """Bytes that must be gone. kind: what they are, in a word."""

    kind: str
    data: bytes


class Found(msgspec.Struct, frozen=True):
    """A trace that is still there. place: a key of Redis, or a file's name."""

    kind: str
    place: str


def traces_of(gallery: Gallery, person: EnrolledPerson) -> list[Trace]:
    """Of somebody enrolled: id, name, encodings, chips and pictures."""
    name = msgspec.json.encode(person.name)
    found = [Trace("id", person.id.encode()), Trace("name", b'"name":' + name)]
    for photo in (*gallery.photos(person.id), *gallery.negatives(person.id)):
        found.append(Trace("encoding", photo.encoding))
        found.append(Trace("chip", photo.chip[PART]))
        found.append(Trace("digest", photo.digest.encode()))
    client, keys = gallery.client, gallery.keys
    seen = sightings.of(client, keys, person.id)
    found += [Trace("encoding of a sighting", kept.encoding) for kept in seen]
    pictures = sightings.pictures(client, keys, [kept.sighting for kept in seen])
    for picture in pictures:
        if picture is not None:
            parts = (picture.chip[PART], picture.context[PART])
            found += [Trace("picture of a sighting", part) for part in parts if part]
    return found


def found_in_redis(client: redis.Redis, keys: Keys, traces: list[Trace]) -> list[Found]:
    """Looks into every key of ours. The gallery's log may name ids, which say nothing more."""
    found = []
    for key in client.scan_iter(f"{keys.prefix}*", count=CHUNK):
        name = key.decode(errors="replace")
        allowed = {"id"} if _may_name_ids(name, keys) else set()
        left = [trace for trace in traces if trace.kind not in allowed]
        for value in (key, *_values(client, key)):
            found += [Found(trace.kind, name) for trace in left if trace.data in value]
    return list(dict.fromkeys(found))


def _may_name_ids(key: str, keys: Keys) -> bool:
    return key == keys.gallery_log or key.startswith((keys.erased(""), keys.named_stranger("")))


def _values(client: redis.Redis, key: bytes) -> Iterator[bytes]:
    """Everything that a key holds, piece by piece."""
    kind = client.type(key)
    if kind == b"string":
        yield client.get(key) or b""
    elif kind == b"hash":
        for field, value in client.hscan_iter(key, count=CHUNK):
            yield from (field, value)
    elif kind == b"set":
        yield from client.sscan_iter(key, count=CHUNK)
    elif kind == b"zset":
        yield from (member for member, _ in client.zscan_iter(key, count=CHUNK))
    elif kind == b"list":
        for start in range(0, client.llen(key), CHUNK):
            yield from client.lrange(key, start, start + CHUNK - 1)
    elif kind == b"stream":
        yield from _entries(client, key)


def _entries(client: redis.Redis, key: bytes) -> Iterator[bytes]:
    start = b"-"
    while entries := client.xrange(key, min=start, count=CHUNK):
        for _, fields in entries:
            for field, value in fields.items():
                yield from (field, value)
        start = b"(" + entries[-1][0]
