"""`python -m ingest`: reads its share of the cameras, each in a process of its own."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial

import redis
import structlog

from facetrail import log as logging
from facetrail.cameras import Camera
from facetrail.errors import FacetrailError
from facetrail.redis_keeping import warn_of_losses
from facetrail.settings import Settings, read_settings
from facetrail.store import Keys, connect, waited_for
from facetrail.threads import end_process_if_a_thread_fails
from ingest.faces.detect import at_cameras, detector_file
from ingest.saying.announce import PAUSE_S, announce, state_of
from ingest.sharing.camera_file import CameraFile
from ingest.sharing.keeper import Keeper
from ingest.sharing.leases import LEASE_S
from ingest.sharing.load import SpareCores
from ingest.sharing.spares import Spares
from ingest.sharing.watcher import STOP_S, Watcher

STEP_S = 0.25
#: Processes that wait for the cameras of another host.
MOST_SPARES = 2

log = structlog.get_logger(__name__)


class Ingest:
    """Keeps a process for each camera it may read; `loop` until `stop`, then `shutdown`.

    buffer_mb: memory for what all of them wait to send.
    processes: ids of its own, as of the last step; the keeper's thread asks for their load.
    """

    def __init__(
        self,
        cameras: Iterable[Camera],
        keeper: Keeper,
        spares: Spares,
        *,
        buffer_mb: float = 64.0,
        announce_death: Callable[[str, str], None] = lambda camera, cause: None,
        watcher: Callable[[Camera], Watcher] | None = None,
    ) -> None:
        self._keeper = keeper
        self._spares = spares
        self._buffer_mb = buffer_mb
        self._announce_death = announce_death
        self._watcher = watcher or partial(Watcher, start=spares.take)
        self._watchers: dict[str, Watcher] = {}
        self._ending: dict[str, Watcher] = {}
        self.processes: list[int] = []
        self.change(cameras)

    def change(self, cameras: Iterable[Camera]) -> None:
        """Other cameras from now on; the processes of those that are the same go on."""
        self._cameras = {camera.name: camera for camera in cameras}
        self._keeper.wanted = tuple(self._cameras)

    def loop(self, stop: threading.Event, file: CameraFile | None = None) -> None:
        """file: the camera file, which is followed."""
        self._keeper.start()
        while not stop.is_set():
            if file is not None and file.changed(time.monotonic()) and file.read():
                self.change(file.cameras)
            self.step(time.monotonic())
            time.sleep(STEP_S)  # no `stop.wait`: a signal's handler sets it in this thread

    def step(self, now: float) -> None:
        """Starts and ends processes. now: a monotonic clock's."""
        self._keeper.alive_at = time.monotonic()
        may_read = self._keeper.may_read(now)
        for name, watcher in list(self._watchers.items()):
            if name not in may_read or self._cameras.get(name) != watcher.camera:
                self._end(name)
        for name in [name for name, watcher in self._ending.items() if watcher.has_ended(now)]:
            del self._ending[name]
        for name in may_read & self._cameras.keys() - self._watchers.keys() - self._ending.keys():
            self._watchers[name] = self._watcher(self._cameras[name])
        # Before any is started: a lease is freed only while nobody reads the camera.
        self._keeper.reading = frozenset(self._watchers) | frozenset(self._ending)
        for watcher in self._watchers.values():
            # For all cameras, since another host may leave us any of them.
            watcher.buffer_mb = self._buffer_mb / max(1, len(self._cameras))
            if watcher.pid is not None or self._may_start():
                cause = watcher.step(now)
                if cause is not None:
                    self._announce(watcher.camera.name, cause)
        if self._keeper.alone:
            self._spares.stop()
        elif not any(watcher.starting for watcher in self._watchers.values()):
            self._spares.add(MOST_SPARES)
        self.processes = self._own_processes()

    def lives(self, camera: str) -> bool:
        """Whether a process of the camera is there, and says what is to be said of it."""
        watcher = self._watchers.get(camera)
        return watcher is not None and watcher.lives

    def shutdown(self) -> None:
        """Ends every camera's process, all at once, and frees the leases."""
        for name in list(self._watchers):
            self._end(name)
        deadline = time.monotonic() + STOP_S
        for watcher in self._ending.values():
            watcher.stop(max(0.0, deadline - time.monotonic()))
        self._spares.stop()
        self._keeper.stop()

    def _own_processes(self) -> list[int]:
        watchers = (*self._watchers.values(), *self._ending.values())
        pids = [watcher.pid for watcher in watchers if watcher.pid is not None]
        return [os.getpid(), *pids, *self._spares.processes]

    def _announce(self, camera: str, cause: str) -> None:
        """Aside: a Redis that is silent must not keep us from ending what must be ended."""
        announced = threading.Thread(target=self._announce_death, args=(camera, cause), daemon=True)
        announced.start()

    def _end(self, name: str) -> None:
        """Lets a process end its tracks and send its last chips, while others go on."""
        log.info("camera is let go", camera=name)
        self._ending[name] = self._watchers.pop(name)
        self._ending[name].ask_to_stop()

    def _may_start(self) -> bool:
        """As many at once as there are cores: all of a host's together would be too slow."""
        starting = sum(watcher.starting for watcher in self._watchers.values())
        return starting < (os.cpu_count() or 1)


def run(settings: Settings) -> None:
    """Reads cameras until SIGTERM or SIGINT. Raises FacetrailError where it can't begin."""
    end_process_if_a_thread_fails()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    file = CameraFile(settings.cameras)
    signal.signal(signal.SIGHUP, lambda *_: file.look_again())
    client, keys = connect(settings.redis_url), Keys(settings.key_prefix)
    # Looked for once here, so that a missing model is one sentence and not one for each camera.
    detector = at_cameras(settings.detector, **settings.models)
    detector_file(detector, **settings.models)
    log.info("faces are looked for", detector=detector)
    waited_for(client, stop)
    warn_of_losses(client)

    def announce_death(camera: str, cause: str) -> None:
        event = state_of(camera, cause)
        while not stop.is_set() and not ingest.lives(camera):
            try:
                announce(client, keys, event, history=settings.event_history)
                return
            except redis.RedisError as error:
                log.warning("camera's state not said", camera=camera, cause=type(error).__name__)
                time.sleep(PAUSE_S)

    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    spare = SpareCores()
    keeper = Keeper(client, keys, name, spare_cores=lambda: spare.measure(ingest.processes))
    ingest = Ingest(
        file.cameras,
        keeper,
        Spares(),
        buffer_mb=settings.buffer_mb,
        announce_death=announce_death,
    )
    log.info("ingest starts", name=name, cameras=len(file.cameras), lease_s=LEASE_S)
    try:
        ingest.loop(stop, file)
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
