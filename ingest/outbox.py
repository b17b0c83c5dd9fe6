"""What can't go to the queue yet waits in bounded memory."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable

import msgspec

from facetrail.wire import MOST_CHIPS, FaceChip, TrackEnded

Item = FaceChip | TrackEnded


class Outbox:
    """Items wait here in their order; when memory is full the oldest chip goes.

    most_bytes: of pictures that wait. The end of a track is never dropped, and says how many
    of its chips were really handed out.
    """

    def __init__(self, most_bytes: int) -> None:
        self._changed = threading.Condition()
        self._most_bytes = most_bytes
        self._bytes = 0
        self._waiting: deque[Item] = deque()
        self._missing: Counter[tuple[int, int]] = Counter()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, items: Iterable[Item]) -> None:
        with self._changed:
            for item in items:
                self._waiting.append(item)
                self._bytes += _weight(item)
            while self._bytes > self._most_bytes:
                self._drop_oldest()
            self._changed.notify()

    def take(self, timeout_s: float) -> list[Item]:
        """The oldest items, at most one message of them, waited for."""
        with self._changed:
            if not self._waiting:
                self._changed.wait(timeout_s)
            count = min(MOST_CHIPS, len(self._waiting))
            taken = [self._honest(self._waiting.popleft()) for _ in range(count)]
            self._bytes -= sum(map(_weight, taken))
            return taken

    def give_back(self, items: list[Item]) -> None:
        """Items that could not be sent; they are the oldest again."""
        with self._changed:
            self._waiting.extendleft(reversed(items))
            self._bytes += sum(map(_weight, items))

    def _drop_oldest(self) -> None:
        chip = next(item for item in self._waiting if isinstance(item, FaceChip))
        self._waiting.remove(chip)
        self._bytes -= _weight(chip)
        self._missing[chip.stream_epoch, chip.track] += 1
        self.dropped += 1

    def _honest(self, item: Item) -> Item:
        """An end of a track with the dropped chips taken off."""
        if isinstance(item, FaceChip):
            return item
        missing = self._missing.pop((item.stream_epoch, item.track), 0)
        return msgspec.structs.replace(item, chips_sent=item.chips_sent - missing)


def _weight(item: Item) -> int:
    return len(item.jpeg) + len(item.context) if isinstance(item, FaceChip) else 0
