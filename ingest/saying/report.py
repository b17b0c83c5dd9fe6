"""A camera's process says in Redis how it is."""

from __future__ import annotations

import threading
import time

import msgspec
import redis
import structlog

from facetrail.store import Keys
from ingest.camera import Camera
from ingest.saying.outbox import Outbox
from ingest.saying.status import KEPT_S, CameraStatus

SAID_EVERY_S = 2.0

log = structlog.get_logger(__name__)


class Reporter(threading.Thread):
    """Says every other second how a camera is, in a thread of its own: Redis may be away."""

    def __init__(self, client: redis.Redis, keys: Keys, reader: Camera, outbox: Outbox) -> None:
        super().__init__(name="reporter", daemon=True)
        self._client = client
        self._key = keys.camera_status(reader.name)
        self._reader = reader
        self._outbox = outbox
        self._looked = self._counted = 0
        self._said_at = time.monotonic()
        self._stop_asked = threading.Event()

    def looked(self) -> None:
        """Counts a frame that was looked at."""
        self._looked += 1

    def run(self) -> None:
        while not self._stop_asked.wait(SAID_EVERY_S):
            try:
                self.step(time.monotonic())
            except redis.RedisError as error:
                log.debug("status not said", cause=type(error).__name__)

    def stop(self) -> None:
        self._stop_asked.set()

    def step(self, now: float) -> None:
        """Says it once. now: a monotonic clock's. Raises RedisError."""
        looked, passed = self._looked - self._counted, now - self._said_at
        self._counted, self._said_at = self._looked, now
        opened = self._reader.opened
        status = CameraStatus(
            lost=self._reader.lost,
            fps=looked / passed if passed > 0 else 0.0,
            clock=self._reader.clock,
            codec=opened.codec if opened else None,
            size=opened.size if opened else None,
            waiting=len(self._outbox),
            dropped={str(reason): count for reason, count in self._outbox.dropped.items()},
        )
        line = msgspec.json.encode(status)
        self._client.set(self._key, line, px=round(KEPT_S * 1000))
