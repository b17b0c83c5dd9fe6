"""Chips go from the outbox to the queue, by task name."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from contextlib import suppress

import redis
import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from facetrail.store import Keys
from facetrail.wire import TASK, Message
from ingest.saying.outbox import Item, Outbox, Reason

#: Faces of several frames are gathered for this long: a message costs more than a chip in it.
GATHER_S = 0.03
PAUSE_S = 0.5
#: For the last words of a process that is asked to end.
LAST_S = 3.0

#: What counts as a Redis that is away or full, whoever of the libraries says it.
AWAY = (OperationalError, redis.RedisError, OSError)

log = structlog.get_logger(__name__)


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
        self._told: Counter[Reason] = Counter()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            if self.step(timeout_s=0.5):
                self._stop_asked.wait(GATHER_S)
            elif len(self._outbox):
                self._stop_asked.wait(PAUSE_S)
        # The last words, as far as Redis takes them: few, so the queue's limit does not count.
        self._queue_limit = sys.maxsize
        while len(self._outbox) and self.step(timeout_s=0.0):
            pass
        with suppress(*AWAY):
            self._count_drops()

    def stop(self, timeout_s: float = LAST_S) -> None:
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
            has_room = self._has_room()
            self._outbox.hold_back(not has_room)
            return has_room and self._send(items)
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
        self._count_drops()
        return int(self._client.llen(self._keys.queue)) < self._queue_limit

    def _count_drops(self) -> None:
        for reason, dropped in list(self._outbox.dropped.items()):
            if dropped > self._told[reason]:
                self._client.hincrby(self._keys.counters, reason, dropped - self._told[reason])
                self._told[reason] = dropped
