"""What a person leaves behind, and whether it is anywhere in Redis."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import redis

from facetrail import sightings
from facetrail.sightings import ENCODING_BYTES
from facetrail.store import Keys
from index.copies import Copies
from index.gallery import Gallery
from index.person import EnrolledPerson

CHUNK = 500
PIECE = 16
#: Pieces of fewer different bytes than this may be of any picture: one that is black in parts.
LEAST_DIFFERENT = 10
WORDS = ("id", "name", "digest")


class Trace(msgspec.Struct, frozen=True):
    """Bytes that must be gone. kind: what they are, in a word."""

    kind: str
    data: bytes

    @property
    def is_whole(self) -> bool:
        """Whether it can be told from others': a record may be cut, and a picture missing."""
        least = ENCODING_BYTES if self.kind.startswith("encoding") else 1
        return len(self.data) >= least

    @property
    def pieces(self) -> list[bytes]:
        """Of these one at least is in a file of Redis that has the data.

        Redis packs what it can make shorter, heads of pictures such as others have, and zeros. The
        rest stands there in runs of 32 bytes (its LZF, in `lzf_c.c`), each of which holds a piece
        whole; a run may be broken by a chance likeness, but not all of them.
        """
        if self.kind in WORDS:
            return [self.data]
        size = len(self.data)
        starts = [
            window + start
            for window in (size // 3, size // 2, 2 * size // 3)
            for start in range(0, 4 * PIECE, PIECE)
        ]
        pieces = [self.data[start : start + PIECE] for start in starts]
        return [one for one in pieces if len(set(one)) >= LEAST_DIFFERENT]


class Found(msgspec.Struct, frozen=True):
    """A trace that is still there. place: a key of Redis, or a file's name."""

    kind: str
    place: str


def traces_of(gallery: Gallery, person: EnrolledPerson, copies: Copies) -> list[Trace]:
    """Of somebody enrolled: id, name, encodings, chips and pictures that nobody else keeps."""
    name = msgspec.json.encode(person.name)
    found = [Trace("id", person.id.encode()), Trace("name", b'"name":' + name)]
    for photo in (*gallery.photos(person.id), *gallery.negatives(person.id)):
        found.append(Trace("digest", photo.digest.encode()))
        if photo.encoding not in copies.kept:
            found += [Trace("encoding", photo.encoding), Trace("chip", photo.chip)]
    client, keys = gallery.client, gallery.keys
    seen = [one for one in sightings.of(client, keys, person.id) if one.encoding not in copies.kept]
    found += [Trace("encoding of a sighting", one.encoding) for one in seen]
    for picture in sightings.pictures(client, keys, [one.sighting for one in seen]):
        if picture is not None:
            parts = (picture.chip, picture.context)
            found += [Trace("picture of a sighting", part) for part in parts]
    return [trace for trace in found if trace.is_whole]


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
