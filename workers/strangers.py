"""Is this a stranger we have seen before? A worker's index of unknown sightings.

It follows a log of strangers whose encodings changed, whenever it is asked something, and now and
then, so that whoever is gone is forgotten: an entry says who, never what, so that applying it twice
or late ends in the same state. Each names the one before it; who finds a gap, as after a flushed or
restored Redis, reads everything anew.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import redis
import structlog

from facetrail.sightings import Kept, every, names_of_each
from facetrail.store import Keys
from facetrail.strangers_log import StrangersLog
from facetrail.wire import Encodings
from index.aside import Rebuilding
from index.face_index import FaceIndex
from index.lengths import of_length_one
from index.rows import NOBODY

#: Of each stranger so many are searched, those that were kept last.
MOST_EACH = 8
#: Strangers asked for in one step.
CHUNK = 500
#: The place before the first entry of the log.
START = "0-0"
NOT_ONE = np.zeros(128, np.float32)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """Somebody unknown: an encoding, float32 `(128,)`, its encoder's id, and how far another of
    theirs may be.
    """

    encoding: Encodings
    encoder: str
    threshold: float


@dataclass(frozen=True, slots=True)
class Found:
    """The stranger's id, None for one who is new. position: of the log that was searched."""

    stranger: str | None
    position: str


class Strangers:
    """Unknown people by their encodings. encoder: the id of those that can be compared."""

    def __init__(self, client: redis.Redis, keys: Keys, *, encoder: str) -> None:
        self._client = client
        self._keys = keys
        self._encoder = encoder
        self._log = StrangersLog(client, keys, each=MOST_EACH)
        self._lock = threading.Lock()
        self._index = FaceIndex([], NOBODY)
        self._rebuilding: Rebuilding | None = None
        self._position: str | None = None

    def nearest(self, probes: Sequence[Probe]) -> list[Found]:
        """The nearest stranger of each, among all that were told of by now.

        One of another encoder than ours is nobody's. Raises BadEncodings.
        """
        with self._lock:
            position = self._follow()
            index = self._index
        return [Found(near, position) for near in self._near(probes, index)]

    def _near(self, probes: Sequence[Probe], index: FaceIndex) -> list[str | None]:
        ours = [place for place, probe in enumerate(probes) if probe.encoder == self._encoder]
        near: list[str | None] = [None] * len(probes)
        if not ours:
            return near
        reach = max(probes[place].threshold for place in ours)
        encodings = np.stack([probes[place].encoding for place in ours])
        for place, found in zip(ours, index.search(encodings, within=reach), strict=True):
            if found and found[0].distance <= probes[place].threshold:
                near[place] = found[0].person
        return near

    def load(self) -> None:
        """Reads everything, so that the first question need not wait."""
        with self._lock:
            self._load()

    def follow(self) -> None:
        """Applies what has changed, though nobody asks."""
        with self._lock:
            self._follow()

    def __len__(self) -> int:
        """Encodings that are searched."""
        return len(self._index)

    def _follow(self) -> str:
        """Applies what the log has; the position."""
        if self._position is None:
            return self._load()
        self._take_over()
        found = self._log.changes(self._position)
        while found.previous == self._position:
            self._apply({one: self._usable(kept) for one, kept in found.strangers.items()})
            self._position = found.last
            if found.last == found.newest:
                return found.newest
            found = self._log.changes(self._position)
        if found.newest == self._position:
            return found.newest
        log.info("strangers read anew", position=self._position, newest=found.newest)
        return self._load()

    def _load(self) -> str:
        # First: what changes meanwhile is applied again.
        newest = _position(self._client.xrevrange(self._keys.strangers_log, count=1))
        strangers: dict[str, list[Kept]] = {}
        for kept in every(self._client, self._keys):
            if kept.sighting.stranger is not None:
                strangers.setdefault(kept.sighting.stranger, []).append(kept)
        self._cut(strangers)
        rows = {stranger: self._usable(kept) for stranger, kept in strangers.items()}
        ids = [stranger for stranger, own in rows.items() for _ in own]
        self._index = FaceIndex(ids, np.concatenate([NOBODY, *rows.values()]))
        self._rebuilding = None
        self._position = newest
        return newest

    def _cut(self, strangers: dict[str, list[Kept]]) -> None:
        """Leaves of each what the log would tell of: workers must not differ."""
        many = [stranger for stranger, kept in strangers.items() if len(kept) > MOST_EACH]
        for some in _chunks(many):
            newest = names_of_each(self._client, self._keys, some, most=MOST_EACH)
            for stranger, names in zip(some, newest, strict=True):
                last = {name.decode() for name in names}
                kept = [one for one in strangers[stranger] if one.sighting.name in last]
                strangers[stranger] = kept

    def _usable(self, kept: Iterable[Kept]) -> Encodings:
        """Float32 `(k, 128)`: those of our encoder."""
        own = [one for one in kept if one.sighting.encoder == self._encoder]
        rows = np.stack([NOT_ONE, *(one.numbers for one in own)])
        good = of_length_one(rows)
        if int(np.sum(good)) < len(own):
            stranger = own[0].sighting.stranger
            log.error("unreadable among strangers, left out", stranger=stranger)
        return np.asarray(rows[good], np.float32)

    def _apply(self, changed: dict[str, Encodings]) -> None:
        """What takes long is built aside."""
        self._index = self._index.changed(changed)
        if self._rebuilding is not None:
            self._rebuilding.change(changed)
        elif self._index.worn:
            self._rebuilding = Rebuilding(self._index, self._position or START)

    def _take_over(self) -> None:
        if self._rebuilding is not None and (built := self._rebuilding.result()) is not None:
            self._index, self._rebuilding = built, None


def _chunks(strangers: Sequence[str]) -> Iterator[Sequence[str]]:
    return (strangers[at : at + CHUNK] for at in range(0, len(strangers), CHUNK))


def _position(last: list[tuple[bytes, dict[bytes, bytes]]]) -> str:
    return last[0][0].decode() if last else START
