"""Packets of a still picture wait undecoded: they are too small to show somebody new."""

from __future__ import annotations

import math
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
#: and each from so long before the frame last looked at, which showed nothing new, in seconds.
CHECKED_S = 1.0
#: Sizes kept until then, at most.
MOST_UNCHECKED = 1000
#: Bits a pixel, on average: with more an encoder fills up to a wanted rate, and hides what moves.
MOST_BITS = 0.01
#: Key frames further apart, in packets or seconds, would leave too much to make up for, and a
#: camera that sends nothing but spoilt bytes unnoticed for too long.
MOST_KEPT, MOST_KEPT_S = 64, 4.2
#: Movement found this soon after packets were forgotten, in seconds, without a large one since,
#: was in these: their sizes say nothing at this camera, and none waits for so long.
SURPRISE_S, DISTRUST_S = 1.0, 300.0

Packet: TypeAlias = "av.Packet[av.VideoStream]"


class Stillness:
    """What was found in the frame last looked at; said by whoever looks, used by whoever reads.

    checked_at: when the frame was read, by the monotonic clock; None if something moved.
    """

    def __init__(self) -> None:
        self.checked_at: float | None = None

    def note(self, still: bool, read_at: float) -> None:
        """Of a frame that was looked at. read_at: when it was read, by the monotonic clock."""
        self.checked_at = read_at if still else None


class _Size(NamedTuple):
    at: float
    bytes: int


class Doze:
    """Decides which packets of one stream wait, and keeps them.

    None waits before the frame of the one decoded last has been looked at. At the next key frame
    those that wait are not needed any more; before, they are decoded all together as soon as one
    comes that is too large. pixels: of a picture.
    """

    def __init__(self, stillness: Stillness, pixels: int) -> None:
        self._stillness = stillness
        self._most_bytes = pixels * MOST_BITS / 8
        self._kept: list[Packet] = []
        self._recent: deque[int] = deque(maxlen=RECENT)
        self._unchecked: deque[_Size] = deque(maxlen=MOST_UNCHECKED)
        self._known: deque[_Size] = deque()
        self._since_key, self._key_at = 0, -math.inf
        self._keys_are_near = False
        self._decoded_at = -math.inf
        self._forgot_at = -math.inf
        self._distrusted_until = 0.0

    def keeps(self, packet: Packet) -> bool:
        """Whether the packet waits. If not, what `made_up` gives is to be decoded before it."""
        now = time.monotonic()
        checked_at = self._stillness.checked_at
        self._learn(now, checked_at)
        if packet.is_keyframe:
            self._begin_again(now)
        else:
            self._since_key += 1
            small = self._is_small(packet)
            if not small:
                self._forgot_at = -math.inf
            elif checked_at is None and now - self._forgot_at < SURPRISE_S:
                self._distrusted_until = now + DISTRUST_S
            if small and self._may_keep(now, checked_at):
                self._kept.append(packet)
                self._recent.append(packet.size)
                return True
            self._unchecked.append(_Size(now, packet.size))
        self._decoded_at = now
        return False

    def made_up(self) -> list[Packet]:
        """Those that waited, oldest first; each once."""
        kept, self._kept = self._kept, []
        self._recent.clear()
        return kept

    def _begin_again(self, now: float) -> None:
        if self._kept:
            self._forgot_at = now
        self._kept.clear()
        self._keys_are_near = self._is_near_key(now)
        self._since_key, self._key_at = 0, now

    def _may_keep(self, now: float, checked_at: float | None) -> bool:
        return (
            checked_at is not None
            and checked_at >= self._decoded_at
            and now >= self._distrusted_until
            and self._keys_are_near
            and self._is_near_key(now)
        )

    def _is_near_key(self, now: float) -> bool:
        """Whether the last key frame was not too long ago."""
        return self._since_key <= MOST_KEPT and now - self._key_at <= MOST_KEPT_S

    def _is_small(self, packet: Packet) -> bool:
        if not packet.size or len(self._known) < ENOUGH:
            return False
        sizes = [size.bytes for size in self._known]
        usual = fmean(sizes)
        recent = fmean([*self._recent, packet.size])
        return (
            usual <= self._most_bytes
            and packet.size <= LARGER * max(sizes)
            and (len(self._recent) < RECENT or recent <= LARGER_ON_AVERAGE * usual)
        )

    def _learn(self, now: float, checked_at: float | None) -> None:
        if checked_at is None:
            self._unchecked.clear()
            return
        while self._unchecked and self._unchecked[0].at <= checked_at - CHECKED_S:
            self._known.append(self._unchecked.popleft())
        while self._known and self._known[0].at < now - KNOWN_S:
            self._known.popleft()
