"""One camera, watched: frames become faces, tracks and chips.

    python -m ingest.watch < camera.json

Started by `python -m ingest`, one process for each camera, so that whatever a camera does to
its decoder harms no other. The camera's settings come on stdin as one line of JSON, never as an
argument, since they may hold a password. Further lines, each the megabytes that may hold what
waits to be sent, say that the camera is still wanted. When stdin closes, or falls silent after
such lines, the watch ends. Each second that it is alive it writes a dot to stdout.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import cv2
import structlog

from facetrail import log as logging
from facetrail.broker import celery_app
from facetrail.cameras import Camera as CameraSettings
from facetrail.errors import FacetrailError
from facetrail.settings import Settings, read_settings
from facetrail.store import Keys, connect
from facetrail.threads import end_process_if_a_thread_fails
from ingest.camera import HANG_STATUS, Camera
from ingest.look import Watch
from ingest.looking.detectors import first_detector, second_detector
from ingest.newest import NewestFrame
from ingest.parent import Parent, say_alive
from ingest.reading.stream import Reading
from ingest.saying.announce import Announcer
from ingest.saying.outbox import Outbox
from ingest.saying.report import Reporter
from ingest.send import LAST_S, Sender

BEAT_S = 1.0
#: For the last words of a process whose decoder hangs, which is to be told within ten seconds.
HANGING_S = 1.0

log = structlog.get_logger(__name__)


def run(settings: Settings, camera: CameraSettings, parent: Parent, stop: threading.Event) -> None:
    """Watches a camera until `stop`. Raises FacetrailError where it can't begin."""
    client, keys = connect(settings.redis_url), Keys(settings.key_prefix)
    detector = first_detector(settings, camera)
    outbox = Outbox(
        round(settings.buffer_mb * 1_000_000),
        most_of_track=max(settings.confirm_chips, settings.unknown_chips),
    )
    app = celery_app(settings.redis_url or "", key_prefix=settings.key_prefix)
    sender = Sender(app, client, keys, outbox, queue_limit=settings.queue_limit)
    reader = Camera(
        camera.name,
        camera.read_url.get_secret_value(),
        fps=camera.fps,
        stop=stop,
        reading=Reading(transport=camera.transport, keyframes_only=camera.keyframes_only),
        hwaccel=camera.hwaccel,
    )
    watch = Watch(
        camera,
        detector,
        outbox,
        least_score=settings.detection_score,
        second=second_detector(settings, camera),
    )
    announcer = Announcer(client, keys, camera.name, history=settings.event_history)
    reporter = Reporter(client, keys, reader, outbox)
    sender.start()
    announcer.start()
    reporter.start()
    hangs = False
    try:
        hangs = _loop(watch, reader, announcer, reporter, parent, stop)
    finally:
        reporter.stop()
        watch.end_tracks(time.time_ns())
        sender.stop(HANGING_S if hangs else LAST_S)
        announcer.stop()
    if hangs:
        os._exit(HANG_STATUS)  # nothing else ends the thread that reads


def _loop(
    watch: Watch,
    reader: Camera,
    announcer: Announcer,
    reporter: Reporter,
    parent: Parent,
    stop: threading.Event,
) -> bool:
    """Until `stop`; whether the decoder hangs."""
    newest = NewestFrame()
    threading.Thread(target=_read, args=(reader, newest), name="reader", daemon=True).start()
    seen_at = beat_at = time.monotonic()
    while not stop.is_set():
        frame = newest.take(timeout_s=BEAT_S / 2)
        now = time.monotonic()
        announcer.say(reader.lost)
        if frame is not None:
            watch.look(frame)
            if frame.video is not None:
                reader.stillness.note(watch.still, frame.read_at)
            reporter.looked()
            seen_at = now
        elif now - seen_at > watch.lost_s:
            watch.end_tracks(time.time_ns())
        if reader.hangs(now):
            log.error("decoder hangs, its process ends", camera=watch.camera.name)
            announcer.say("its decoder hangs")
            return True
        if now - beat_at > BEAT_S:
            beat_at = now
            say_alive(stop)
            if parent.buffer_mb is not None:
                watch.outbox.limit(round(parent.buffer_mb * 1_000_000))
    return False


def _read(reader: Camera, newest: NewestFrame) -> None:
    for frame in reader.frames():
        newest.put(frame)


def main() -> int:
    end_process_if_a_thread_fails()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    cv2.setNumThreads(1)
    logging.configure()  # for what is wrong with the settings
    try:
        settings = read_settings()
        logging.configure(level=settings.log_level, as_json=settings.log_json)
        parent = Parent(stop)
        camera = parent.camera()
        structlog.contextvars.bind_contextvars(camera=camera.name)
        parent.start()
        run(settings, camera, parent, stop)
    except FacetrailError as error:
        log.error(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
