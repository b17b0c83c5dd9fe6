"""`facetrail up`: every role on one machine, and an end for all of them together."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import redis
import structlog

from facetrail.cameras import read_cameras
from facetrail.cli.enroll import people_in
from facetrail.cli.roles import Roles
from facetrail.cli.show import EventPrinter
from facetrail.embedded_redis import EmbeddedRedis
from facetrail.errors import BadSettings, RoleDied
from facetrail.events import newest, replay
from facetrail.queue_state import in_hand, waiting
from facetrail.settings import Settings
from facetrail.store import Keys, checked, connect
from index.gallery import Gallery
from ingest.faces.detect import at_cameras, detector_file
from workers.encoders.choice import chosen

STEP_MS = 200
PAUSE_S = 1.0
#: The first start converts the encoder, which takes half a minute on a small machine.
START_S = 180.0
#: How long each camera has to say whether it is there, before that is no longer waited for.
CAMERAS_SAY_S = 15.0
#: How long the last chips and ends of tracks may take to become events.
DRAIN_S = 5.0

log = structlog.get_logger(__name__)


def run(
    settings: Settings,
    *,
    cameras: Path | None,
    enroll: Path | None,
    seconds: float,
    as_json: bool,
) -> None:
    """Runs until Ctrl-C, SIGTERM or `seconds` after all roles are ready.

    Raises RoleDied when a role ends by itself, and FacetrailError where it can't begin.
    """
    camera_file = (cameras or settings.cameras).absolute()
    # All that can be wrong is said before anything is started.
    camera_names = [camera.name for camera in read_cameras(camera_file)]
    detector_file(at_cameras(settings.detector, **settings.models), **settings.models)
    if enroll is not None:
        people_in(enroll)
    with ExitStack() as stack:
        stop = stack.enter_context(stop_asked())
        server = None if settings.redis_url else stack.enter_context(own_redis(settings.data_dir))
        url = server.url if server else settings.redis_url
        client, keys = checked(connect(url)), Keys(settings.key_prefix)
        chosen(Gallery(client, keys).encoder, settings)
        worker_name = settings.worker_name or f"{socket.gethostname()}-up-{secrets.token_hex(2)}"
        roles = Roles(
            os.environ
            | {
                "FACETRAIL_REDIS_URL": url or "",
                "FACETRAIL_CAMERAS": str(camera_file),
                "FACETRAIL_WORKER_NAME": worker_name,
            }
        )
        if enroll is not None:
            roles.enrol(enroll, stop)
        stack.callback(roles.end)
        whole = Whole(client, keys, roles, EventPrinter(as_json=as_json), stop, server)
        whole.run(camera_names, worker_name, seconds)


class Whole:
    """The running whole: starts, shows events, stops. server: the Redis that is ours."""

    def __init__(
        self,
        client: redis.Redis,
        keys: Keys,
        roles: Roles,
        printer: EventPrinter,
        stop: Callable[[], bool],
        server: EmbeddedRedis | None,
    ) -> None:
        self._client = client
        self._keys = keys
        self._roles = roles
        self._printer = printer
        self._stop = stop
        self._server = server
        self._position = newest(client, keys)
        self._heard_of: set[str] = set()

    def run(self, cameras: list[str], worker: str, seconds: float) -> None:
        self._roles.start("worker", "workers")
        applied = self._keys.applied(worker)
        self._until(lambda: bool(self._client.exists(applied)), START_S, "worker")
        if not self._stop():
            self._roles.start("ingest", "ingest")
            self._until(lambda: self._is_read(cameras), START_S, "ingest")
            self._hear_of(cameras)
            # Of a Redis of ours only: another one's address may hold a password.
            redis = self._server.url if self._server else "FACETRAIL_REDIS_URL"
            log.info("facetrail is up", cameras=len(cameras), redis=redis)
        deadline = time.monotonic() + seconds if seconds else float("inf")
        while not self._stop() and time.monotonic() < deadline:
            self._step()
        self._roles.end_one("ingest")
        drained_by = time.monotonic() + DRAIN_S
        while self._asked(self._work_is_left) and time.monotonic() < drained_by:
            self._step()
        self._roles.end_one("worker")
        self._asked(lambda: self._show(block_ms=None))

    def _step(self) -> None:
        self._roles.check()
        if self._server is not None and self._server.died():
            raise RoleDied(
                "the embedded Redis ended by itself, so everything was ended; "
                f"{self._server.folder / 'redis.log'} may say why"
            )
        self._asked(lambda: self._show(block_ms=STEP_MS))

    def _show(self, block_ms: int | None) -> bool:
        for event in replay(self._client, self._keys, self._position, block_ms=block_ms):
            self._position = event.sequence
            self._heard_of.add(event.camera)
            self._printer.show(event)
        return True

    def _asked(self, question: Callable[[], bool]) -> bool:
        """What Redis answers; no, after a pause, where it is away. The roles wait for it."""
        try:
            return question()
        except (redis.ConnectionError, redis.TimeoutError) as error:
            log.warning("Redis is away", cause=type(error).__name__)
            time.sleep(PAUSE_S)
            return False

    def _until(self, ready: Callable[[], bool], limit_s: float, role: str) -> None:
        deadline = time.monotonic() + limit_s
        while not self._stop() and not self._asked(ready):
            self._step()
            if time.monotonic() > deadline:
                raise RoleDied(f"the {role} was not ready after {limit_s:.0f} s; see its log above")

    def _hear_of(self, cameras: list[str]) -> None:
        """Until each camera is there, or is not; another host's may stay silent."""
        deadline = time.monotonic() + CAMERAS_SAY_S
        while not self._heard_of.issuperset(cameras) and time.monotonic() < deadline:
            if self._stop():
                return
            self._step()

    def _is_read(self, cameras: list[str]) -> bool:
        return all(self._client.exists(self._keys.lease(camera)) for camera in cameras)

    def _work_is_left(self) -> bool:
        client, keys = self._client, self._keys
        is_queued = waiting(client, keys) or in_hand(client, keys)
        return bool(is_queued or client.zcard(keys.open_tracks))


@contextmanager
def stop_asked() -> Iterator[Callable[[], bool]]:
    """Says whether Ctrl-C or SIGTERM came; a second Ctrl-C ends at once."""
    asked = False

    def ask(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def own_redis(data_dir: Path) -> Iterator[EmbeddedRedis]:
    """A Redis of our own, started, its data under `data_dir`, which nobody else uses."""
    folder = data_dir.expanduser() / "redis"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadSettings(
            f"{data_dir} can't be used ({error.strerror}): name a folder that can be written in "
            "FACETRAIL_DATA_DIR"
        ) from error
    server = EmbeddedRedis(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
