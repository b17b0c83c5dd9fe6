"""Chips go to the queue, by task name; what can't go yet waits in bounded memory."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable

import msgspec
import redis
import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from facetrail.store import Keys
from facetrail.wire import MOST_CHIPS, TASK, FaceChip, Message, TrackEnded

#: Faces of several frames are gathered for this long: a message costs more than a chip in it.
GATHER_S = 0.03
PAUSE_S = 0.5
Item = FaceChip | TrackEnded

#: What counts as a Redis that is away or full, whoever of the libraries says it.
AWAY = (OperationalError, redis.RedisError, OSError)

log = structlog.get_logger(__name__)


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


class Sender(threading.Thread):
    """Sends what is in the outbox, in order, until stopped.

    While the queue in Redis is `queue_limit` messages long or Redis is away, it waits.
    """

    def __init__(
        self, app: Celery, client: redis.Redis, keys: Keys, outbox: Outbox, *, queue_limit: int
    ) -> None:
        super().__init__(name="sender", daemon=True)
        self._app = app
        self._client = client
        self._keys = keys
        self._outbox = outbox
        self._queue_limit = queue_limit
        self._stop_asked = threading.Event()
        self._told = 0

    def run(self) -> None:
        while not self._stop_asked.is_set():
            if self.step(timeout_s=0.5):
                self._stop_asked.wait(GATHER_S)
            elif len(self._outbox):
                self._stop_asked.wait(PAUSE_S)
        while len(self._outbox) and self.step(timeout_s=0.0):
            pass  # the last words, as far as Redis takes them

    def stop(self, timeout_s: float = 3.0) -> None:
        """Sends what still waits and ends."""
        self._stop_asked.set()
        self.join(timeout_s)

    def step(self, timeout_s: float) -> bool:
        """Sends one message; False if there was none or it could not go."""
        items = self._outbox.take(timeout_s)
        if not items:
            return False
        if self._tried(items):
            return True
        self._outbox.give_back(items)
        return False

    def _tried(self, items: list[Item]) -> bool:
        try:
            return self._has_room() and self._send(items)
        except AWAY as error:
            waiting = len(self._outbox) + len(items)
            log.warning(
                "Redis takes nothing, chips wait", waiting=waiting, cause=type(error).__name__
            )
            return False

    def _send(self, items: list[Item]) -> bool:
        message = bytes(Message(items=tuple(items)))
        self._app.send_task(TASK, args=[message], retry=False, ignore_result=True)
        return True

    def _has_room(self) -> bool:
        if self._outbox.dropped > self._told:
            dropped = self._outbox.dropped - self._told
            self._client.hincrby(self._keys.counters, "dropped_outbox_full", dropped)
            self._told += dropped
        return int(self._client.llen(self._keys.queue)) < self._queue_limit


def _weight(item: Item) -> int:
    return len(item.jpeg) + len(item.context) if isinstance(item, FaceChip) else 0
