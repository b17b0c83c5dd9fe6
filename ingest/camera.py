"""An endless iterator over the frames of one camera, reopened whenever it is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import av
import structlog

from facetrail.addresses import shown
from facetrail.errors import StreamLost
from ingest.backoff import Backoff
from ingest.reading.black import BlackFinder
from ingest.reading.capture import CaptureClock, Clock
from ingest.reading.cut import CutFinder, luma_points
from ingest.reading.doze import Stillness
from ingest.reading.hardware import Decoder
from ingest.reading.packets import Shot
from ingest.reading.stream import Opened, Reading, is_file, open_stream
from ingest.sample import Sampler, StreamClock

NOT_OPENED = "not opened yet"
#: An opening without a picture is a loss after so long: that a camera is gone is said within 10 s.
SAID_AFTER_S = 8.0
#: A stream that shows pictures for so long is well; before, it may be one that ends at once, again
#: and again, and is tried less and less often.
STEADY_S = 2.0
#: A decoder that gives neither a frame nor an error for so long hangs, in seconds.
HANGS_S = 8.0
#: Finding a name in a network without a name server takes its time, and can't be cut short.
OPENING_HANGS_S = 20.0
#: How the process ends, where only that helps.
HANG_STATUS = 3

log = structlog.get_logger(__name__)

Opener = Callable[[str, threading.Event], Iterator[Shot]]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame that is to be looked at.

    captured_at: when it was taken by the camera's clock, or else could have been read; nanoseconds
    since the epoch, UTC. seconds: on the stream's own clock, growing. stream_epoch: when the
    stream was opened, milliseconds since the epoch. cut: whether the scene changed since the
    frame looked at before. video: None where the picture is as still as before, and none was
    decoded. read_at: by the monotonic clock.
    """

    video: av.VideoFrame | None
    captured_at: int
    seconds: float
    stream_epoch: int
    cut: bool
    read_at: float = 0.0


class Camera:
    """Frames of one stream at `fps`, until `stop` is set.

    hwaccel: auto, none or a device that decodes. opened: what the address turned out to be, at
    its last opening. stillness: to be told what the frames show, lets packets go undecoded.
    """

    def __init__(
        self,
        name: str,
        address: str,
        *,
        fps: float,
        stop: threading.Event,
        reading: Reading | None = None,
        hwaccel: str = "none",
        opener: Opener | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.name = name
        self.fps = fps
        self.stop = stop
        self.opened: Opened | None = None
        self.stillness = Stillness()
        self._address = address
        self._opener = opener or partial(
            open_stream,
            reading=reading,
            decoder=Decoder(hwaccel),
            stillness=self.stillness,
            on_open=self._say_opened,
            on_packet=self._moved,
        )
        self._backoff = backoff or Backoff()
        self._clock = CaptureClock(name)
        self._epoch = 0
        self._lost: str | None = NOT_OPENED
        self._reads = False
        self._began_at = self._moved_at = time.monotonic()

    @property
    def lost(self) -> str | None:
        """None while frames come, else why they don't, for people to read."""
        if self._lost == NOT_OPENED and time.monotonic() - self._began_at > SAID_AFTER_S:
            return "no picture yet"
        return self._lost

    @property
    def clock(self) -> Clock:
        """What dates the frames: rtcp, which is the camera's own clock, or their arrival."""
        return self._clock.source

    def hangs(self, now: float) -> bool:
        """Whether only the end of its process helps. now: a monotonic clock's.

        A file never does: it may show one frame for a minute.
        """
        limit_s = HANGS_S if self._reads else OPENING_HANGS_S
        return not is_file(self._address) and now - self._moved_at > limit_s

    def frames(self) -> Iterator[Frame]:
        """Frames as they come; a new `stream_epoch` after each opening."""
        failures = 0
        while not self.stop.is_set():
            self._moved_at = time.monotonic()
            epoch = self._next_epoch()
            try:
                frame = None
                for frame in self._frames_of_one_opening(epoch):
                    self._lost = None
                    if frame.seconds > STEADY_S:
                        failures = 0
                    yield frame
                if self.stop.is_set():
                    return
                if frame is None:
                    raise StreamLost("there is no picture in it")
                if not is_file(self._address):
                    raise StreamLost("the stream ended")
            except StreamLost as error:
                failures += 1
                self._wait(failures, str(error))

    def _wait(self, failures: int, cause: str) -> None:
        pause = self._backoff.pause(failures)
        # The name and the host, never the whole address: it may hold a password.
        log.warning(
            f"camera lost, next try in {pause:.1f} s",
            camera=self.name,
            address=shown(self._address),
            cause=cause,
        )
        self._lost, self._reads = cause, False
        self._moved_at = time.monotonic() + pause
        self.stop.wait(pause)

    def _next_epoch(self) -> int:
        """Later than the last one even if the host's clock was turned back meanwhile."""
        self._epoch = max(self._epoch + 1, time.time_ns() // 1_000_000)
        return self._epoch

    def _frames_of_one_opening(self, epoch: int) -> Iterator[Frame]:
        clock, sampler = StreamClock(), Sampler(self.fps)
        cuts, black = CutFinder(), BlackFinder()
        cut = False
        for shot in self._opener(self._address, self.stop):
            if self.stop.is_set():
                return
            self._moved()
            # Whether late or not, a frame was taken when it was: what we are behind is no delay
            # of the camera's.
            arrived_at = time.time_ns() - round(shot.behind_s * 1e9)
            seconds = clock.seconds(shot.stamp, self._moved_at)
            wanted = sampler.wants(seconds)
            if shot.video is None:
                if wanted:
                    at = self._clock.after(arrived_at)
                    yield Frame(None, at, seconds, epoch, cut=False, read_at=self._moved_at)
                continue
            points = luma_points(shot.video)
            cut = cuts.is_cut(shot.video, points) or cut
            captured_at = self._clock.at(shot.taken_at, arrived_at)
            if wanted:
                if black.changed(points, seconds):
                    self._say_black(black.black)
                yield Frame(shot.video, captured_at, seconds, epoch, cut, self._moved_at)
                cut = False

    def _moved(self) -> None:
        self._moved_at, self._reads = time.monotonic(), True

    def _say_opened(self, opened: Opened) -> None:
        # Each round of a file is the same.
        say = log.debug if is_file(self._address) and opened == self.opened else log.info
        self.opened = opened
        say(
            "camera opened",
            camera=self.name,
            codec=opened.codec,
            size="{}x{}".format(*opened.size),
            fps=opened.fps,
            transport=opened.transport,
            decoder=opened.decoder,
            clock=self.clock,
        )

    def _say_black(self, black: bool) -> None:
        if black:
            log.warning("the picture is black: is the lens covered?", camera=self.name)
        else:
            log.info("the picture is no longer black", camera=self.name)
