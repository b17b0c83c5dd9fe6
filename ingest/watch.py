"""One camera, watched: frames become faces, tracks and chips.

    python -m ingest.watch < camera.json

Started by `python -m ingest`, one process for each camera, so that whatever a camera does to
its decoder harms no other. The camera's settings come on stdin as one line of JSON, never as an
argument, since they may hold a password; empty lines say that the camera is still wanted. When
stdin closes, or falls silent after such lines, the watch ends. Each second that it is alive it
writes a dot to stdout.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime

import av
import cv2
import msgspec
import structlog
from pydantic import ValidationError

from facetrail import log as logging
from facetrail.broker import celery_app
from facetrail.cameras import Camera as CameraSettings
from facetrail.errors import BadSettings, FacetrailError
from facetrail.schedule import is_open
from facetrail.settings import Settings, read_settings
from facetrail.store import Keys, connect
from facetrail.threads import end_process_if_a_thread_fails
from ingest.announce import Announcer
from ingest.camera import HANG_STATUS, Camera, Frame
from ingest.chips import ChipMaker
from ingest.detectors import first_detector, second_detector
from ingest.faces.face import Detector, Face
from ingest.finder import Finder
from ingest.motion import MotionGate
from ingest.newest import NewestFrame
from ingest.outbox import Outbox
from ingest.report import Reporter
from ingest.second_opinion import SecondOpinion
from ingest.send import Sender
from ingest.sight import Scaler, Sight
from ingest.stream import Reading
from ingest.track import Tracker

BEAT_S = 1.0
#: A parent that says nothing for so long hangs. Its lease of 5 s has run out by then, and no
#: camera may be read by two hosts for longer than another such.
PARENT_S = 8.0

log = structlog.get_logger(__name__)


class Watch:
    """Looks at those frames of a camera that are worth it; what it finds goes to the outbox.

    least_score: see `Tracker`. second: a stricter detector, asked once of each track. now: the
    local time.
    """

    def __init__(
        self,
        camera: CameraSettings,
        detector: Detector,
        outbox: Outbox,
        *,
        least_score: float,
        second: Detector | None = None,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.camera = camera
        self.outbox = outbox
        self._finder = Finder(
            detector, width=camera.detect_width, tiles=camera.tiles, masks=camera.masks
        )
        self._scaler = Scaler()
        self._second = second
        self._now = now
        self._least_score = least_score
        self._begin(0)

    def _begin(self, stream_epoch: int) -> None:
        self._epoch = stream_epoch
        self._tracker = Tracker(fps=self.camera.fps, least_score=self._least_score)
        self._opinion = SecondOpinion(self._second) if self._second else None
        self._gate = MotionGate(self.camera.motion_threshold, self.camera.masks)
        self._chips = ChipMaker(
            self.camera.name,
            self.camera.zones,
            min_quality=self.camera.min_quality,
            better_by=self.camera.better_by,
        )

    def look(self, frame: Frame) -> None:
        """Detects, tracks and hands out the chips of a frame, if it may show something new."""
        if frame.stream_epoch != self._epoch:
            self.end_tracks(frame.captured_at)
            self._begin(frame.stream_epoch)
        elif frame.cut:
            self.end_tracks(frame.captured_at)
        # By the host's clock: a camera's own may be years off.
        if not is_open(self.camera.schedule, self._now()):
            self.end_tracks(frame.captured_at)
        elif frame.video is None or not self._wants(frame.video, frame.seconds):
            self._end(self._tracker.carry_on(frame.seconds), frame.captured_at)
        else:
            self._look_closely(frame, Sight(frame.video, self._scaler))

    @property
    def still(self) -> bool:
        """Whether nothing moves in what was looked at last."""
        return self._gate.still

    def _wants(self, video: av.VideoFrame, seconds: float) -> bool:
        return not self.camera.motion or self._gate.wants(video, seconds)

    def _look_closely(self, frame: Frame, sight: Sight) -> None:
        tracked = self._tracker.update(self._finder.faces(sight), frame.seconds)
        made = [
            self._chips.chip(track, face, sight.picture, frame)
            for track, face in tracked.faces
            if self._may_want(track, face, frame.seconds)
            and self._is_face(track, face, sight, frame)
        ]
        # Where not all can go at once, the best go first.
        chips = sorted((one for one in made if one), key=lambda one: -one.quality.score)
        self.outbox.put(chips)
        self._end(tracked.ended, frame.captured_at)

    def _may_want(self, track: int, face: Face, seconds: float) -> bool:
        return face.height >= self.camera.min_face and self._chips.may_want(track, face, seconds)

    def _is_face(self, track: int, face: Face, sight: Sight, frame: Frame) -> bool:
        """Whether the second opinion, if there is one, is that the track is somebody's face."""
        if self._opinion is None:
            return True
        return self._opinion.agrees(track, face, sight.picture, frame.seconds)

    @property
    def lost_s(self) -> float:
        """Seconds without a frame after which nobody is in sight any more."""
        return self._tracker.lost_s

    def end_tracks(self, at: int) -> None:
        """Ends every track. at: nanoseconds since the epoch."""
        self._end(self._tracker.end_all(), at)

    def _end(self, tracks: tuple[int, ...], at: int) -> None:
        if self._opinion is not None:
            self._opinion.forget(tracks)
        ends = [self._chips.ended(track, stream_epoch=self._epoch, at=at) for track in tracks]
        self.outbox.put(end for end in ends if end.chips_sent)


def run(settings: Settings, camera: CameraSettings, stop: threading.Event) -> None:
    """Watches a camera until `stop`. Raises FacetrailError where it can't begin."""
    client, keys = connect(settings.redis_url), Keys(settings.key_prefix)
    detector = first_detector(settings, camera)
    outbox = Outbox(
        round(settings.buffer_mb * 1_000_000),
        most_of_track=max(settings.confirm_chips, settings.unknown_chips),
    )
    app = celery_app(
        settings.redis_url or "",
        key_prefix=settings.key_prefix,
        redelivery_s=settings.redelivery_s,
    )
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
    try:
        _loop(watch, reader, announcer, reporter, stop)
    finally:
        reporter.stop()
        watch.end_tracks(time.time_ns())
        sender.stop()
        announcer.stop()


def _loop(
    watch: Watch, reader: Camera, announcer: Announcer, reporter: Reporter, stop: threading.Event
) -> None:
    newest = NewestFrame()
    threading.Thread(target=_read, args=(reader, newest), name="reader", daemon=True).start()
    seen_at = beat_at = time.monotonic()
    while not stop.is_set():
        frame = newest.take(timeout_s=BEAT_S / 2)
        now = time.monotonic()
        announcer.say(reader.lost)
        if frame is not None:
            watch.look(frame)
            reader.stillness.note(watch.still)
            reporter.looked()
            seen_at = now
        elif now - seen_at > watch.lost_s:
            watch.end_tracks(time.time_ns())
        if reader.hangs(now):
            log.error("decoder hangs, its process ends", camera=watch.camera.name)
            os._exit(HANG_STATUS)  # the parent says that the camera is offline
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
    """Also where whoever wrote to it says nothing more: it hangs, and its lease runs out."""
    stdin, patience_s = sys.stdin.fileno(), None
    # Not through sys.stdin: Python can't end while a thread waits within its buffer.
    while select.select([stdin], [], [], patience_s)[0] and os.read(stdin, 4096):
        patience_s = PARENT_S
    stop.set()


def given_camera() -> CameraSettings:
    """The camera of the line of JSON that `python -m ingest` sends. Raises BadSettings."""
    line = bytearray()
    while not line.endswith(b"\n") and (part := os.read(sys.stdin.fileno(), 65_536)):
        line += part
    if not line:  # a spare process, and whoever started it has ended
        sys.exit(0)
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
