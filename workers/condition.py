"""How a worker is: for what starts it anew or sends it work, and for `facetrail workers list`."""

from __future__ import annotations

import threading
from dataclasses import asdict
from datetime import UTC, datetime

import redis
import structlog

from facetrail.store import Keys
from facetrail.worker_status import State, WorkerStatus, say_status
from workers.measures import Measures
from workers.tasks import Service

SAY_EVERY_S = 1.0

log = structlog.get_logger(__name__)


class Condition:
    """Set by the worker's main thread and asked by others.

    takes: it takes chips. stops: it was asked to end. leaves: the gallery is another encoder's.
    """

    def __init__(self, service: Service) -> None:
        self.takes = threading.Event()
        self.stops = threading.Event()
        self.leaves = threading.Event()
        self._service = service

    @property
    def state(self) -> State:
        if not self._service.batcher.is_working():
            return "halted"
        if self.stops.is_set():
            return "stopping"
        if self.leaves.is_set() or self._service.replica.view.mismatch is not None:
            return "aside"
        return "ready" if self.takes.is_set() else "starting"

    def live(self) -> str | None:
        """What is wrong, where only a new start mends it."""
        return "a batch does not end" if self.state == "halted" else None

    def ready(self) -> str | None:
        """What keeps it from taking chips."""
        state = self.state
        if state == "aside":
            return self._service.replica.view.mismatch
        if state != "ready":
            return f"the worker is {state}"
        try:
            self._service.client.ping()
        except redis.RedisError as error:
            return f"Redis does not answer ({type(error).__name__})"
        return None

    def say_until(self, ended: threading.Event, worker: str, measures: Measures) -> None:
        """Says once a second how it is, while Redis takes it."""
        service, started_at = self._service, datetime.now(UTC).isoformat(timespec="seconds")
        while not ended.wait(SAY_EVERY_S):
            status = WorkerStatus(
                worker=worker,
                encoder=service.encoder.id,
                state=self.state,
                started_at=started_at,
                **asdict(measures.span()),
            )
            try:
                say_status(service.client, service.keys, status)
            except redis.RedisError as error:  # told by others, who need it
                log.debug("status not said", cause=type(error).__name__)
        forget(service.client, service.keys, worker)


def forget(client: redis.Redis, keys: Keys, worker: str) -> None:
    """It has ended; should Redis be away, its status ends by itself."""
    try:
        client.delete(keys.worker_status(worker))
    except redis.RedisError as error:
        log.debug("status not forgotten", cause=type(error).__name__)
