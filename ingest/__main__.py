"""`python -m ingest`: holds the leases of its cameras and keeps a process for each."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable

import redis
import structlog

from facetrail import log as logging
from facetrail.cameras import Camera, read_cameras
from facetrail.errors import FacetrailError
from facetrail.events import publish
from facetrail.settings import Settings, read_settings
from facetrail.store import Keys, connect, waited_for
from ingest.announce import state_of
from ingest.faces.detect import detector_file
from ingest.leases import LEASE_S, RENEW_S, Leases
from ingest.watcher import STOP_S, Watcher

STEP_S = 0.25

log = structlog.get_logger(__name__)


class Ingest:
    """Reads the cameras whose leases it gets; `loop` until `stop`, then `shutdown`."""

    def __init__(
        self,
        cameras: list[Camera],
        leases: Leases,
        *,
        announce_death: Callable[[str, str], None] = lambda camera, cause: None,
        watcher: Callable[[Camera], Watcher] = Watcher,
    ) -> None:
        self._leases = leases
        self._announce_death = announce_death
        self._watcher = watcher
        self._cameras = {camera.name: camera for camera in cameras}
        self._watchers: dict[str, Watcher] = {}

    def loop(self, stop: threading.Event) -> None:
        renew_at = 0.0
        while not stop.is_set():
            if time.monotonic() >= renew_at:
                self._renew()
                renew_at = time.monotonic() + RENEW_S
            for watcher in self._watchers.values():
                if watcher.running or self._may_start():
                    # Read anew: a Redis that is silent holds the leases' renewal up.
                    cause = watcher.step(time.monotonic())
                    if cause is not None:
                        self._announce_death(watcher.camera.name, cause)
            stop.wait(STEP_S)

    def shutdown(self) -> None:
        """Ends every camera's process, all at once, and frees the leases."""
        for watcher in self._watchers.values():
            watcher.ask_to_stop()
        deadline = time.monotonic() + STOP_S
        for watcher in self._watchers.values():
            watcher.stop(max(0.0, deadline - time.monotonic()))
        try:
            for name in self._watchers:
                self._leases.free(name)
        except redis.RedisError as error:
            log.warning("leases run out by themselves", cause=type(error).__name__)

    def _may_start(self) -> bool:
        """As many at once as there are cores: all of a host's together would be too slow."""
        starting = sum(watcher.starting for watcher in self._watchers.values())
        return starting < (os.cpu_count() or 1)

    def _renew(self) -> None:
        """While Redis is away the cameras that are read stay read."""
        try:
            for name in self._cameras:
                self._settle(name, self._leases.take(name))
        except redis.RedisError as error:
            log.warning("leases are not renewed", cause=type(error).__name__)

    def _settle(self, name: str, ours: bool) -> None:
        if ours and name not in self._watchers:
            log.info("camera taken", camera=name)
            self._watchers[name] = self._watcher(self._cameras[name])
        elif not ours and name in self._watchers:
            log.warning("another host reads the camera", camera=name)
            # Aside, so that the other cameras' leases are renewed meanwhile.
            threading.Thread(target=self._watchers.pop(name).stop).start()


def run(settings: Settings) -> None:
    """Reads cameras until SIGTERM or SIGINT. Raises FacetrailError where it can't begin."""
    cameras = read_cameras(settings.cameras)
    client, keys = connect(settings.redis_url), Keys(settings.key_prefix)
    # Looked for once here, so that a missing model is one sentence and not one for each camera.
    detector_file(settings.detector, **settings.models)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    waited_for(client, stop)
    owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"

    def announce_death(camera: str, cause: str) -> None:
        try:
            publish(client, keys, state_of(camera, cause), history=settings.event_history)
        except redis.RedisError as error:
            log.warning("camera's state not announced", camera=camera, cause=type(error).__name__)

    ingest = Ingest(cameras, Leases(client, keys, owner), announce_death=announce_death)
    log.info("ingest starts", cameras=len(cameras), lease_s=LEASE_S)
    try:
        ingest.loop(stop)
    finally:
        ingest.shutdown()
    log.info("ingest ended")


def main() -> int:
    try:
        settings = read_settings()
        logging.configure(level=settings.log_level, as_json=settings.log_json)
        run(settings)
    except FacetrailError as error:
        print(f"facetrail ingest: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
