"""An endless iterator over the frames of one camera, reopened whenever it is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import av
import numpy as np
import structlog

from facetrail.addresses import shown
from facetrail.errors import StreamLost
from ingest.backoff import Backoff
from ingest.cut import CutFinder
from ingest.faces.face import Picture
from ingest.sample import Sampler, StreamClock
from ingest.stream import is_file, open_stream

NOT_OPENED = "not opened yet"
#: A decoder that gives neither a frame nor an error for so long hangs, in seconds.
HANGS_S = 20.0

log = structlog.get_logger(__name__)

Opener = Callable[[str, threading.Event], Iterator[av.VideoFrame]]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame that is to be looked at.

    captured_at: its arrival, nanoseconds since the epoch, UTC. seconds: on the stream's own
    clock, growing. stream_epoch: when the stream was opened, milliseconds since the epoch.
    cut: whether the scene changed since the frame looked at before.
    """

    video: av.VideoFrame
    captured_at: int
    seconds: float
    stream_epoch: int
    cut: bool

    @property
    def picture(self) -> Picture:
        """RGB `(h, w, 3)`; converted anew at each call."""
        return np.asarray(self.video.to_ndarray(format="rgb24"), np.uint8)


class Camera:
    """Frames of one stream at `fps`, until `stop` is set.

    lost: None while frames come, else why they don't, for people to read.
    """

    def __init__(
        self,
        name: str,
        address: str,
        *,
        fps: float,
        stop: threading.Event,
        opener: Opener = open_stream,
        backoff: Backoff | None = None,
    ) -> None:
        self.name = name
        self.fps = fps
        self.stop = stop
        self.lost: str | None = NOT_OPENED
        self._address = address
        self._opener = opener
        self._backoff = backoff or Backoff()
        self._epoch = 0
        self._moved_at = time.monotonic()

    def hangs(self, now: float) -> bool:
        """Whether only the end of its process helps. now: a monotonic clock's.

        A file never does: it may show one frame for a minute.
        """
        return not is_file(self._address) and now - self._moved_at > HANGS_S

    def frames(self) -> Iterator[Frame]:
        """Frames as they come; a new `stream_epoch` after each opening."""
        failures = 0
        while not self.stop.is_set():
            self._moved_at = time.monotonic()
            epoch = self._next_epoch()
            try:
                frame = None
                for frame in self._opened(epoch):
                    failures, self.lost = 0, None
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
        self.lost = cause
        self._moved_at = time.monotonic() + pause
        self.stop.wait(pause)

    def _next_epoch(self) -> int:
        """Later than the last one even if the host's clock was turned back meanwhile."""
        self._epoch = max(self._epoch + 1, time.time_ns() // 1_000_000)
        return self._epoch

    def _opened(self, epoch: int) -> Iterator[Frame]:
        """The frames of one opening."""
        clock, sampler, cuts = StreamClock(), Sampler(self.fps), CutFinder()
        cut = False
        for video in self._opener(self._address, self.stop):
            if self.stop.is_set():
                return
            self._moved_at = time.monotonic()
            seconds = clock.seconds(video.time, self._moved_at)
            cut = cuts.is_cut(video) or cut
            if sampler.wants(seconds):
                yield Frame(video, time.time_ns(), seconds, epoch, cut)
                cut = False
