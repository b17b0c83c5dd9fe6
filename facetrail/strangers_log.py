"""The log of strangers whose encodings changed, which `sightings.lua` writes: read by workers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import redis

from facetrail.sightings import SIGHTINGS_LUA, Kept, kept_of, names
from facetrail.store import Keys

#: Entries read in one step: others wait for Redis meanwhile.
MOST_READ = 200

_READ = SIGHTINGS_LUA + Path(__file__).with_name("strangers_log.lua").read_text()


@dataclass(frozen=True, slots=True)
class Changes:
    """What the log says behind a place, all of one moment.

    newest: place of the log's newest entry, "0-0" without any. last: of the last one read, the
    given place where none was; if some were read and it is not the newest, there are more.
    previous: the place that the first one read names as the one before it, "" where none was read.
    strangers: who changed, and what is kept of them by now, the newest first.
    """

    newest: str
    last: str
    previous: str
    strangers: dict[str, list[Kept]]


class StrangersLog:
    """Answers in one round trip. each: sightings of one stranger, at most."""

    def __init__(self, client: redis.Redis, keys: Keys, *, each: int) -> None:
        self._key = keys.strangers_log
        self._script = client.register_script(_READ)
        self._asked = {"keys": names(keys), "most": MOST_READ, "each": each}

    def changes(self, since: str) -> Changes:
        """Raises RedisError."""
        asked = msgspec.msgpack.encode({**self._asked, "since": since})
        answer: list[Any] = self._script(keys=[self._key], args=[asked])
        newest, last, previous = (place.decode() for place in answer[:3])
        strangers = {
            stranger.decode(): kept_of(own, lines, encodings)
            for stranger, own, lines, encodings in answer[3:]
        }
        return Changes(newest, last, previous, strangers)
