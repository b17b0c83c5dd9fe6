"""Says whether a camera is there: camera_online, camera_offline."""

from __future__ import annotations

import time

import redis
import structlog

from facetrail.events import EventType, MatchEvent, iso, publish
from facetrail.store import Keys
from ingest.camera import NOT_OPENED

log = structlog.get_logger(__name__)


class Announcer:
    """Publishes each change of one camera's state once; a Redis that is away is waited for."""

    def __init__(self, client: redis.Redis, keys: Keys, camera: str, *, history: int) -> None:
        self._client = client
        self._keys = keys
        self._camera = camera
        self._history = history
        self._online: bool | None = None

    def say(self, lost: str | None) -> None:
        """lost: None where frames come, else why they don't."""
        online = lost is None
        if online == self._online or lost == NOT_OPENED:
            return
        now = time.time_ns()
        kind: EventType = "camera_online" if online else "camera_offline"
        event = MatchEvent(
            id=f"{self._camera}/{kind}/{now // 1_000_000}",
            type=kind,
            camera=self._camera,
            captured_at=iso(now),
            published_at=iso(now),
            cause=lost,
        )
        try:
            publish(self._client, self._keys, event, history=self._history)
        except (redis.ConnectionError, redis.TimeoutError):
            return  # the next call tries again
        self._online = online
        log.info(kind.replace("_", " "), camera=self._camera, cause=lost)
