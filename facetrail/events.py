"""What the world hears: one schema, a stream to replay and a channel to listen to.

docs/events.md explains the fields; docs/event.schema.json is `MatchEvent` as JSON Schema.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec
import redis
import structlog

from facetrail.embedded_redis import running_url
from facetrail.errors import BadSettings
from facetrail.settings import read_settings
from facetrail.store import Keys, answered, checked, connect

SCHEMA = 1
#: How long an event's id is remembered, so that it is published once, in seconds.
REMEMBERED_S = 86_400
BLOCK_MS = 1_000

log = structlog.get_logger(__name__)

EventType = Literal[
    "person_enter",
    "person_update",
    "person_exit",
    "unknown_enter",
    "unknown_exit",
    "camera_online",
    "camera_offline",
]

#: A Lua function for scripts that decide and publish at once.
PUBLISH_LUA = Path(__file__).with_name("publish.lua").read_text()
_PUBLISH = PUBLISH_LUA + "return publish(KEYS[1], KEYS[2], unpack(ARGV))"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Someone enrolled. external_id: what another system calls them."""

    id: str
    name: str
    external_id: str | None = None


class RunnerUp(msgspec.Struct, frozen=True, kw_only=True):
    """The second nearest person."""

    id: str
    similarity: float


class EventBox(msgspec.Struct, frozen=True, kw_only=True):
    """x, y, width, height, twice: in pixels of the frame, and 0 to 1 of it."""

    pixels: tuple[float, float, float, float]
    normalised: tuple[float, float, float, float]


class EventQuality(msgspec.Struct, frozen=True, kw_only=True):
    """As in `facetrail.wire.Quality`."""

    height: float
    sharpness: float
    yaw: float
    pitch: float = 0.0
    brightness: float = 0.5
    score: float


class MatchEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event. Fields of a face are None where the event is about a camera.

    id: the same for the same decision, however often it is made. sequence: the place in the
    stream, from which `replay` goes on. unknown: the id of a stranger, the same at every camera.
    distance: Euclidean, of unit encodings, 0 to 2; similarity: their cosine. threshold: the
    distance the face was judged by. margin: the distance by which the nearest person leads the
    runner-up. Times: ISO 8601 with microseconds, UTC. snapshot: a name for
    `facetrail.snapshots.get`. cause: why a camera went offline.
    """

    id: str
    sequence: str = ""
    schema: int = SCHEMA
    type: EventType
    camera: str
    zones: tuple[str, ...] = ()
    stream_epoch: int | None = None
    track: int | None = None
    person: Person | None = None
    unknown: str | None = None
    similarity: float | None = None
    distance: float | None = None
    threshold: float | None = None
    runner_up: RunnerUp | None = None
    margin: float | None = None
    encoder: str | None = None
    index_position: str | None = None
    box: EventBox | None = None
    quality: EventQuality | None = None
    captured_at: str
    published_at: str
    worker: str | None = None
    snapshot: str | None = None
    cause: str | None = None

    def json(self) -> str:
        """One line of JSON."""
        return msgspec.json.encode(self).decode()


def iso(nanoseconds: int) -> str:
    """ISO 8601 with microseconds, UTC, of nanoseconds since the epoch."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{_iso_of_second(seconds)}.{rest // 1000:06d}Z"


@lru_cache(maxsize=1024)
def _iso_of_second(seconds: int) -> str:
    """Without a zone. Of a second there are many chips."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()


def publish(client: redis.Redis, keys: Keys, event: MatchEvent, *, history: int) -> bool:
    """Appends the event to the stream and the channel at once; False if its id was there."""
    script = client.register_script(_PUBLISH)
    arguments = [keys.channel(event.camera), event.json(), history, REMEMBERED_S]
    return bool(script(keys=[keys.events, keys.published(event.id)], args=arguments))


def subscribe(
    url: str | None = None, *, since: str | None = None, cameras: frozenset[str] | None = None
) -> Iterator[MatchEvent]:
    """Events as they come, from this call on, for ever; after a cut it goes on where it was.

    url: of Redis; None takes FACETRAIL_REDIS_URL, or the Redis of a running `facetrail up` with
    the same data folder. since: a `sequence` after which to start,
    "0" for all that are kept; None hears only what comes from now on. cameras: only these.
    Raises RedisAway if Redis does not answer, BadSettings for what is no sequence.
    """
    if since is not None and not re.fullmatch(r"\d{1,20}(-\d{1,20})?", since):
        raise BadSettings(f"{since!r} is not a sequence: take an event's, such as 1700000000000-0")
    settings = read_settings()
    client = checked(connect(url or settings.redis_url or running_url(settings.data_dir)))
    keys = Keys(settings.key_prefix)
    with answered(client):
        position = since if since is not None else newest(client, keys)
    return _follow(client, keys, position, cameras)


def _follow(
    client: redis.Redis, keys: Keys, position: str, cameras: frozenset[str] | None
) -> Iterator[MatchEvent]:
    with client:
        while True:
            try:
                entries = _entries(client, keys, position, BLOCK_MS)
            except (redis.ConnectionError, redis.TimeoutError):
                time.sleep(1.0)  # the client comes back by itself; the position is kept
                continue
            for sequence, line in entries:
                position = sequence
                event = readable(line, sequence)
                if event and (cameras is None or event.camera in cameras):
                    yield event


def newest(client: redis.Redis, keys: Keys) -> str:
    """The sequence of the newest event, "0" without one."""
    last = client.xrevrange(keys.events, count=1)
    return last[0][0].decode() if last else "0"


def replay(
    client: redis.Redis, keys: Keys, position: str, *, block_ms: int | None = None
) -> Iterator[MatchEvent]:
    """The next events after a position, at most 100, waiting `block_ms` for the first."""
    for sequence, line in _entries(client, keys, position, block_ms):
        if event := readable(line, sequence):
            yield event


def _entries(
    client: redis.Redis, keys: Keys, position: str, block_ms: int | None
) -> list[tuple[str, bytes]]:
    found = client.xread({keys.events: position}, count=100, block=block_ms)
    every = [entry for _, stream in found for entry in stream]
    return [(sequence.decode(), fields.get(b"event", b"")) for sequence, fields in every]


def readable(line: bytes, sequence: str) -> MatchEvent | None:
    """The event, or None where a later version wrote what this one does not know."""
    try:
        return parse(line, sequence)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        log.warning("event left out", sequence=sequence, cause=str(error))
        return None


def parse(line: bytes, sequence: str) -> MatchEvent:
    """The event of one stream entry, with its place. Raises msgspec.DecodeError."""
    event = msgspec.json.decode(line, type=MatchEvent)
    return msgspec.structs.replace(event, sequence=sequence)
