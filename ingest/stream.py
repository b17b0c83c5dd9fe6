"""Decoded frames of one opening of a camera's address."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import av

from facetrail.errors import StreamLost
from ingest.sample import MOST_STEP_S

#: Seconds a frame, where a file does not say when its frames are due.
USUAL_STEP_S = 1 / 25


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds within which a stream must open, send something, and send a picture."""

    open_s: float = 5.0
    read_s: float = 5.0
    picture_s: float = 10.0


def is_file(address: str) -> bool:
    return "://" not in address and not address.startswith("webcam:")


def open_stream(
    address: str, stop: threading.Event, patience: Patience | None = None
) -> Iterator[av.VideoFrame]:
    """Decoded frames of a stream, or of a file at its own frame rate.

    Raises StreamLost for anything FFmpeg objects to.
    """
    frames = _decoded(address, patience or Patience())
    return _paced(frames, stop) if is_file(address) else frames


def _decoded(address: str, patience: Patience) -> Iterator[av.VideoFrame]:
    try:
        with _opened(address, patience) as container:
            if not container.streams.video:
                raise StreamLost("there is no picture in it, only other streams")
            stream = container.streams.video[0]
            # Threads of FFmpeg's own would hold frames back, one each.
            stream.codec_context.thread_count = 1
            yield from _pictures(container.demux(stream), patience.picture_s)
    except (av.FFmpegError, OSError) as error:
        # FFmpeg's own words hold the address.
        raise StreamLost(_cause(error, patience.read_s)) from None


def _opened(address: str, patience: Patience) -> av.container.InputContainer:
    source, format_name, options = _how_to_open(address)
    timeout = (patience.open_s, patience.read_s)
    began = time.monotonic()
    try:
        return av.open(
            source,
            format=format_name,
            options=options,
            timeout=timeout,
            metadata_errors="replace",  # a camera's name need not be text
        )
    except av.error.InvalidDataError:
        # What FFmpeg also says when it was stopped while it waited for an RTSP server.
        if time.monotonic() - began < min(timeout):
            raise
        raise StreamLost(_no_answer(patience.open_s)) from None


def _pictures(
    packets: Iterator[av.Packet[av.VideoStream]], picture_s: float
) -> Iterator[av.VideoFrame]:
    """What can be decoded; after a gap, a camera sends some packets that can't be."""
    seen_at = time.monotonic()
    for packet in packets:
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            frames = []
        for frame in frames:
            yield frame
            seen_at = time.monotonic()
        if time.monotonic() - seen_at > picture_s:
            raise StreamLost(f"it sends, but no picture within {picture_s:g} s")


def _how_to_open(address: str) -> tuple[str, str | None, dict[str, str]]:
    if address.startswith("webcam:"):
        return f"/dev/video{address.removeprefix('webcam:')}", "v4l2", {}
    if address.startswith(("rtsp://", "rtsps://")):
        return address, None, {"rtsp_transport": "tcp", "analyzeduration": "1000000"}
    return address, None, {}


def _cause(error: Exception, silent_s: float) -> str:
    """FFmpeg's reason in a few words."""
    if isinstance(error, av.error.HTTPUnauthorizedError):
        return "the camera refused the user or password"
    if isinstance(error, av.error.ExitError | TimeoutError):
        return _no_answer(silent_s)
    return str(getattr(error, "strerror", None) or type(error).__name__)


def _no_answer(within_s: float) -> str:
    return f"no answer within {within_s:g} s"


def _paced(frames: Iterator[av.VideoFrame], stop: threading.Event) -> Iterator[av.VideoFrame]:
    """The frames of a file, each when it is due; the end comes when the last was shown."""
    due, before = time.monotonic(), None
    for frame in frames:
        if before is not None:
            due += _step(before, frame)
        if stop.wait(max(0.0, due - time.monotonic())):
            return
        yield frame
        before = frame
    if before is not None:
        stop.wait(max(0.0, due + _length(before) - time.monotonic()))


def _step(before: av.VideoFrame, frame: av.VideoFrame) -> float:
    """Seconds between two frames; a stamp that is missing or jumps is not believed."""
    if before.time is not None and frame.time is not None:
        step = frame.time - before.time
        if 0 <= step <= MOST_STEP_S:
            return float(step)
    return _length(before)


def _length(frame: av.VideoFrame) -> float:
    """Seconds for which a frame is shown."""
    length = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 0.0
    return length if 0 < length <= MOST_STEP_S else USUAL_STEP_S
