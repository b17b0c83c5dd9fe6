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

OPEN_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 5.0
NOT_OPENED = "not opened yet"

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
        opener: Opener | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.name = name
        self.fps = fps
        self.stop = stop
        self.lost: str | None = NOT_OPENED
        self._address = address
        self._opener = opener or open_stream
        self._backoff = backoff or Backoff()
        self._epoch = 0

    def frames(self) -> Iterator[Frame]:
        """Frames as they come; a new `stream_epoch` after each opening."""
        failures = 0
        while not self.stop.is_set():
            try:
                for frame in self._opened():
                    failures, self.lost = 0, None
                    yield frame
                if is_file(self._address) and self.lost is None:
                    continue  # a file is played in a loop
                raise StreamLost("the stream ended")
            except StreamLost as error:
                failures += 1
                self.lost = str(error)
                pause = self._backoff.pause(failures)
                # The name and the host, never the whole address: it may hold a password.
                log.warning(
                    f"camera lost, next try in {pause:.1f} s",
                    camera=self.name,
                    address=shown(self._address),
                    cause=str(error),
                )
                self.stop.wait(pause)

    def _opened(self) -> Iterator[Frame]:
        """The frames of one opening."""
        clock, sampler, cuts = StreamClock(), Sampler(self.fps), CutFinder()
        # Later than the last one even if the host's clock was turned back meanwhile.
        self._epoch = epoch = max(self._epoch + 1, time.time_ns() // 1_000_000)
        cut = False
        for video in self._opener(self._address, self.stop):
            if self.stop.is_set():
                return
            seconds = clock.seconds(video.time, time.monotonic())
            cut = cuts.is_cut(video) or cut
            if sampler.wants(seconds):
                yield Frame(video, time.time_ns(), seconds, epoch, cut)
                cut = False


def is_file(address: str) -> bool:
    return "://" not in address and not address.startswith("webcam:")


def open_stream(address: str, stop: threading.Event) -> Iterator[av.VideoFrame]:
    """Decoded frames of a stream, or of a file at its own frame rate.

    Raises StreamLost for anything FFmpeg objects to.
    """
    frames = _decoded(address)
    return _paced(frames, stop) if is_file(address) else frames


def _decoded(address: str) -> Iterator[av.VideoFrame]:
    source, format_name, options = _how_to_open(address)
    try:
        with av.open(
            source,
            format=format_name,
            options=options,
            timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S),
        ) as container:
            if not container.streams.video:
                raise StreamLost("there is no picture in it, only other streams")
            stream = container.streams.video[0]
            # Threads of FFmpeg's own would hold frames back, one each.
            stream.codec_context.thread_count = 1
            yield from container.decode(stream)
    except (av.FFmpegError, OSError) as error:
        raise StreamLost(_cause(error)) from None  # FFmpeg's own words hold the address


def _how_to_open(address: str) -> tuple[str, str | None, dict[str, str]]:
    if address.startswith("webcam:"):
        return f"/dev/video{address.removeprefix('webcam:')}", "v4l2", {}
    if address.startswith(("rtsp://", "rtsps://")):
        return address, None, {"rtsp_transport": "tcp", "analyzeduration": "1000000"}
    return address, None, {}


def _cause(error: Exception) -> str:
    """FFmpeg's reason in a few words."""
    if isinstance(error, av.error.HTTPUnauthorizedError):
        return "the camera refused the user or password"
    if isinstance(error, av.error.ExitError | TimeoutError):
        return f"no answer within {OPEN_TIMEOUT_S:.0f} s"
    return str(getattr(error, "strerror", None) or type(error).__name__)


def _paced(frames: Iterator[av.VideoFrame], stop: threading.Event) -> Iterator[av.VideoFrame]:
    """The frames of a file, each when it is due."""
    began = time.monotonic()
    for number, frame in enumerate(frames):
        due = frame.time if frame.time is not None else number / 25.0
        wait = began + due - time.monotonic()
        if wait > 0 and stop.wait(wait):
            return
        yield frame
