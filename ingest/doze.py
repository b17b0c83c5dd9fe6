"""Packets of a still picture wait undecoded: they are too small to show somebody new."""

from __future__ import annotations

import time
from collections import deque
from statistics import fmean
from typing import NamedTuple, TypeAlias

import av

#: A packet waits that is at most so much larger than the largest of those that were decoded and
#: changed nothing,
LARGER = 1.1
#: while the last RECENT that waited are on average at most so much larger than these.
LARGER_ON_AVERAGE, RECENT = 1.5, 15
#: So many sizes must be known, none from longer ago than this, in seconds,
ENOUGH, KNOWN_S = 15, 60.0
#: and each from so long before the last look that found nothing, in seconds.
CHECKED_S = 1.0
#: Bits a pixel, on average: with more an encoder fills up to a wanted rate, and hides what moves.
MOST_BITS = 0.01
#: Key frames further apart than this many packets would leave too much to make up for.
MOST_KEPT = 64
#: A key frame that shows movement this soon after packets were let wait, in seconds, came too
#: late: their sizes say nothing at this camera, and none waits for so long.
SURPRISE_S, DISTRUST_S = 1.0, 300.0

Packet: TypeAlias = "av.Packet[av.VideoStream]"


class Stillness:
    """Since when nothing moves; said by whoever looks, used by whoever reads."""

    def __init__(self) -> None:
        self.since: float | None = None

    def note(self, still: bool) -> None:
        """Of the last frame looked at."""
        if not still:
            self.since = None
        elif self.since is None:
            self.since = time.monotonic()


class _Size(NamedTuple):
    at: float
    bytes: int


class Doze:
    """Decides which packets of one stream wait, and keeps them.

    At the next key frame those that wait are not needed any more; before, they are decoded all
    together as soon as one comes that is too large. pixels: of a picture.
    """

    def __init__(self, stillness: Stillness, pixels: int) -> None:
        self._stillness = stillness
        self._most_bytes = pixels * MOST_BITS / 8
        self._kept: list[Packet] = []
        self._recent: deque[int] = deque(maxlen=RECENT)
        self._unchecked: deque[_Size] = deque()
        self._known: deque[_Size] = deque()
        self._since_key = 0
        self._between_keys = MOST_KEPT + 1
        self._made_up_at = -SURPRISE_S
        self._distrusted_until = 0.0

    def keeps(self, packet: Packet) -> bool:
        """Whether the packet waits. If not, what `made_up` gives is to be decoded before it."""
        now = time.monotonic()
        if self._stillness.since is None:
            if now - self._made_up_at < SURPRISE_S:
                self._distrusted_until = now + DISTRUST_S
            self._unchecked.clear()
        if packet.is_keyframe:
            self._begin_again(now)
            return False
        self._since_key += 1
        if self._may_keep(packet, now):
            self._kept.append(packet)
            self._recent.append(packet.size)
            return True
        if self._stillness.since is not None:
            self._unchecked.append(_Size(now, packet.size))
        return False

    def made_up(self) -> list[Packet]:
        """Those that waited, oldest first; each once."""
        kept, self._kept = self._kept, []
        self._recent.clear()
        return kept

    def _begin_again(self, now: float) -> None:
        if self._kept:
            self._made_up_at = now
        self._kept.clear()
        self._between_keys, self._since_key = self._since_key, 0

    def _may_keep(self, packet: Packet, now: float) -> bool:
        if self._stillness.since is None or now < self._distrusted_until or not packet.size:
            return False
        if max(self._between_keys, self._since_key) > MOST_KEPT:
            return False
        self._learn(now)
        if len(self._known) < ENOUGH:
            return False
        sizes = [size.bytes for size in self._known]
        usual = fmean(sizes)
        recent = fmean([*self._recent, packet.size])
        return (
            usual <= self._most_bytes
            and packet.size <= LARGER * max(sizes)
            and (len(self._recent) < RECENT or recent <= LARGER_ON_AVERAGE * usual)
        )

    def _learn(self, now: float) -> None:
        while self._unchecked and self._unchecked[0].at <= now - CHECKED_S:
            self._known.append(self._unchecked.popleft())
        while self._known and self._known[0].at < now - KNOWN_S:
            self._known.popleft()
