"""`facetrail doctor` on cameras: does each show a picture on this host?"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue

import redis

from facetrail.cameras import Camera, read_cameras
from facetrail.cli.camera_view import View, view
from facetrail.cli.finding import Finding, bad, bad_by, good, warning
from facetrail.errors import BadSettings, StreamLost
from facetrail.settings import Settings
from facetrail.store import Keys
from ingest.reading.hardware import SOFTWARE
from ingest.reading.stream import Reading
from ingest.saying.status import status_of
from ingest.sharing.leases import owners

#: Opened at once: enough that cameras which don't answer are soon told, few enough to decode.
AT_ONCE = 8
#: For each eight of them, whatever happens; ingest waits less long for a picture.
LIMIT_S = 45.0
MEND = "see whether another player shows it on this machine, and mend the address or the camera"


class NotBegun(Exception):
    """Its turn never came."""


def findings(client: redis.Redis | None, settings: Settings) -> Iterator[Finding]:
    try:
        cameras = read_cameras(settings.cameras)
    except BadSettings as error:
        yield _of_file(error, settings)
        return
    for camera, answer in zip(cameras, _opened(cameras, LIMIT_S), strict=True):
        seen = answer if isinstance(answer, View) else _read_by(client, settings, camera, answer)
        yield seen if isinstance(seen, Finding) else _of_view(camera, seen)


def _of_file(error: BadSettings, settings: Settings) -> Finding:
    if not isinstance(error.__cause__, FileNotFoundError):
        return bad("cameras", str(error), f"mend {settings.cameras}")
    says = f"there is no camera file {settings.cameras}: this host reads no cameras"
    if "cameras" in settings.model_fields_set:
        return warning("cameras", says, "write it, or name another in FACETRAIL_CAMERAS")
    return good("cameras", says)


def _opened(cameras: Sequence[Camera], limit_s: float) -> Iterator[View | Exception]:
    """What each shows, in their order, or why it shows nothing."""
    answers: list[Future[View]] = [Future() for _ in cameras]
    waiting: SimpleQueue[tuple[Camera, Future[View]]] = SimpleQueue()
    for pair in zip(cameras, answers, strict=True):
        waiting.put(pair)
    for _ in range(min(AT_ONCE, len(cameras))):
        # No pool, whose threads would keep the process where a driver hangs.
        threading.Thread(target=_open_each, args=(waiting,), daemon=True).start()
    deadline = time.monotonic() + limit_s * math.ceil(len(cameras) / AT_ONCE)
    for answer in answers:
        try:
            yield answer.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError as error:
            # It may have answered meanwhile, or with this very error.
            yield error if answer.running() or answer.done() else NotBegun()
        except Exception as error:  # told by the camera's finding
            yield error


def _open_each(waiting: SimpleQueue[tuple[Camera, Future[View]]]) -> None:
    with suppress(Empty):
        while True:
            camera, answer = waiting.get_nowait()
            answer.set_running_or_notify_cancel()
            try:
                answer.set_result(_first_picture(camera))
            except Exception as error:
                answer.set_exception(error)


def _first_picture(camera: Camera) -> View:
    """Raises StreamLost."""
    return view(
        camera.read_url.get_secret_value(),
        Reading(camera.transport, camera.keyframes_only),
        hwaccel=camera.hwaccel,
        seconds=0.0,
    )


def _of_view(camera: Camera, seen: View) -> Finding:
    frame, opened = seen.frames[0], seen.opened
    says = f"{camera.name} shows {opened.codec} {frame.width}x{frame.height}"
    if opened.transport is not None:
        says += f" over {opened.transport}"
    says += f", the first picture after {seen.first_picture_s:.1f} s"
    if camera.hwaccel in ("cuda", "vaapi") and opened.decoder == SOFTWARE:
        return warning(
            "cameras",
            f"{says}, but is decoded in software: {camera.hwaccel} can't be used here for it",
            "see docs/reading.md for what it needs, or write `hwaccel: auto`",
        )
    return good("cameras", says)


def _read_by(
    client: redis.Redis | None, settings: Settings, camera: Camera, error: Exception
) -> Finding:
    """Of a camera that shows nothing here: it may let only one host read it, or one program."""
    fault = _fault(camera, error)
    reader = None
    if client is not None:
        with suppress(redis.RedisError):
            reader = _reader(client, Keys(settings.key_prefix), camera.name)
    if reader is None:
        return fault
    return warning(
        "cameras",
        f"{fault.says}, while {reader} reads it",
        f"let it be if it takes no second reader; else {fault.mend}",
    )


def _fault(camera: Camera, error: Exception) -> Finding:
    if isinstance(error, NotBegun):
        says = f"{camera.name} was not looked at, since others hang"
        return warning("cameras", says, "mend those, and look again")
    if isinstance(error, StreamLost):
        return bad_by("cameras", f"{camera.name}: {error}", MEND)
    if isinstance(error, TimeoutError):
        return bad("cameras", f"{camera.name} gives no answer within {LIMIT_S:g} s", MEND)
    # Without its words, which may hold the address.
    return bad("cameras", f"{camera.name} can't be opened ({type(error).__name__})", MEND)


def _reader(client: redis.Redis, keys: Keys, camera: str) -> str | None:
    """The ingest process that sees a picture of it. Raises redis.RedisError."""
    ((_, host),) = owners(client, keys, [camera])
    (said,) = status_of(client, keys, [camera])
    return host if said is not None and said.lost is None and said.size else None
