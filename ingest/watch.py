"""One camera, watched: frames become faces, tracks and chips.

    python -m ingest.watch < camera.json

Started by `python -m ingest`, one process for each camera, so that whatever a camera does to
its decoder harms no other. The camera's settings come on stdin as one line of JSON, never as an
argument, since they may hold a password; when stdin closes, the watch ends. Each second that it
is alive it writes a dot to stdout.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import cv2
import msgspec
import structlog
from pydantic import ValidationError

from facetrail import log as logging
from facetrail.broker import celery_app
from facetrail.cameras import Camera as CameraSettings
from facetrail.errors import BadSettings, FacetrailError
from facetrail.settings import Settings, read_settings
from facetrail.store import Keys, connect
from facetrail.threads import end_process_if_a_thread_fails
from ingest.announce import Announcer
from ingest.camera import Camera, Frame
from ingest.chips import ChipMaker
from ingest.faces.detect import open_detector
from ingest.faces.face import Detector
from ingest.newest import NewestFrame
from ingest.outbox import Outbox
from ingest.send import Sender
from ingest.track import Tracker

BEAT_S = 1.0

log = structlog.get_logger(__name__)


class Watch:
    """Looks at each frame of one camera and puts what it finds into the outbox."""

    def __init__(
        self, camera: CameraSettings, detector: Detector, outbox: Outbox, *, least_score: float
    ) -> None:
        self.camera = camera
        self.detector = detector
        self.outbox = outbox
        self._least_score = least_score
        self._begin(0)

    def _begin(self, stream_epoch: int) -> None:
        self._epoch = stream_epoch
        self._tracker = Tracker(fps=self.camera.fps, least_score=self._least_score)
        self._chips = ChipMaker(self.camera.name, self.camera.zones)

    def look(self, frame: Frame) -> None:
        """Detects, tracks and hands out the chips of a frame."""
        if frame.stream_epoch != self._epoch:
            self.end_tracks(frame.captured_at)
            self._begin(frame.stream_epoch)
        elif frame.cut:
            self.end_tracks(frame.captured_at)
        picture = frame.picture
        tracked = self._tracker.update(self.detector.detect(picture), frame.seconds)
        chips = [
            self._chips.chip(track, face, picture, frame)
            for track, face in tracked.faces
            if face.height >= self.camera.min_face
        ]
        self.outbox.put(chip for chip in chips if chip is not None)
        self._end(tracked.ended, frame.captured_at)

    @property
    def lost_s(self) -> float:
        """Seconds without a frame after which nobody is in sight any more."""
        return self._tracker.lost_s

    def end_tracks(self, at: int) -> None:
        """Ends every track. at: nanoseconds since the epoch."""
        self._end(self._tracker.end_all(), at)

    def _end(self, tracks: tuple[int, ...], at: int) -> None:
        ends = [self._chips.ended(track, stream_epoch=self._epoch, at=at) for track in tracks]
        self.outbox.put(end for end in ends if end.chips_sent)


def run(settings: Settings, camera: CameraSettings, stop: threading.Event) -> None:
    """Watches a camera until `stop`. Raises FacetrailError where it can't begin."""
    client, keys = connect(settings.redis_url), Keys(settings.key_prefix)
    detector = open_detector(
        settings.detector,
        width=camera.detect_width,
        score=settings.detection_score,
        threads=settings.detector_threads,
        **settings.models,
    )
    outbox = Outbox(settings.buffer_mb * 1_000_000)
    app = celery_app(
        settings.redis_url or "",
        key_prefix=settings.key_prefix,
        redelivery_s=settings.redelivery_s,
    )
    sender = Sender(app, client, keys, outbox, queue_limit=settings.queue_limit)
    reader = Camera(camera.name, camera.url.get_secret_value(), fps=camera.fps, stop=stop)
    watch = Watch(camera, detector, outbox, least_score=settings.detection_score)
    announcer = Announcer(client, keys, camera.name, history=settings.event_history)
    sender.start()
    announcer.start()
    try:
        _loop(watch, reader, announcer, stop)
    finally:
        watch.end_tracks(time.time_ns())
        sender.stop()
        announcer.stop()


def _loop(watch: Watch, reader: Camera, announcer: Announcer, stop: threading.Event) -> None:
    newest = NewestFrame()
    threading.Thread(target=_read, args=(reader, newest), name="reader", daemon=True).start()
    seen_at = beat_at = time.monotonic()
    while not stop.is_set():
        frame = newest.take(timeout_s=BEAT_S / 2)
        now = time.monotonic()
        announcer.say(reader.lost)
        if frame is not None:
            watch.look(frame)
            seen_at = now
        elif now - seen_at > watch.lost_s:
            watch.end_tracks(time.time_ns())
        if reader.hangs(now):
            log.error("decoder hangs, its process ends", camera=watch.camera.name)
            os._exit(1)
        if now - beat_at > BEAT_S:
            beat_at = now
            _beat(stop)


def _read(reader: Camera, newest: NewestFrame) -> None:
    for frame in reader.frames():
        newest.put(frame)


def _beat(stop: threading.Event) -> None:
    try:
        os.write(sys.stdout.fileno(), b".")
    except BrokenPipeError:  # nobody is there who would want the camera watched
        stop.set()


def _stop_at_end_of_stdin(stop: threading.Event) -> None:
    # Not through sys.stdin: Python can't end while a thread waits within its buffer.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    stop.set()


def given_camera() -> CameraSettings:
    """The camera of the line of JSON that `python -m ingest` sends. Raises BadSettings."""
    line = bytearray()
    while not line.endswith(b"\n") and (part := os.read(sys.stdin.fileno(), 65_536)):
        line += part
    try:
        return CameraSettings.model_validate(msgspec.json.decode(line))
    except (msgspec.DecodeError, ValidationError):
        raise BadSettings(
            "expected a camera's settings as a line of JSON on stdin: start `python -m ingest`, "
            "which sends it"
        ) from None


def main() -> int:
    end_process_if_a_thread_fails()
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    cv2.setNumThreads(1)
    logging.configure()  # for what is wrong with the settings
    try:
        settings = read_settings()
        logging.configure(level=settings.log_level, as_json=settings.log_json)
        camera = given_camera()
        structlog.contextvars.bind_contextvars(camera=camera.name)
        threading.Thread(target=_stop_at_end_of_stdin, args=(stop,), daemon=True).start()
        run(settings, camera, stop)
    except FacetrailError as error:
        log.error(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
