"""Packets of one stream become frames."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import av
import structlog
from av.video.frame import PictureType

from facetrail.errors import StreamLost
from ingest.reading.doze import Doze
from ingest.reading.late import LATE_S, Lateness

#: Pixels of the largest picture that is read, a little more than 8K: each frame is held several
#: times, and one of 16K takes 400 MB as RGB.
MOST_PIXELS = 8192 * 4608
#: Packets a decoder may hold back before it shows the first one.
MOST_HELD = 64
#: FFmpeg's AVProducerReferenceTime: microseconds since the epoch, and flags.
_REFERENCE_TIME = struct.Struct("=qi")

log = structlog.get_logger(__name__)

Video = av.VideoStream


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds within which a stream must open, send something, and send a picture.

    first_picture_s: for the first, and for each where only key frames are decoded: there are
    cameras that send a key frame every ten seconds, or less often.
    """

    open_s: float = 5.0
    read_s: float = 5.0
    picture_s: float = 5.0
    first_picture_s: float = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A decoded frame, or word that the picture is still and none was decoded: None.

    stamp: the stream's own, in seconds, if it has any. taken_at: nanoseconds since the epoch by
    the camera's clock, or None. behind_s: by how much reading was late, in seconds.
    """

    video: av.VideoFrame | None
    stamp: float | None = None
    taken_at: int | None = None
    behind_s: float = 0.0


class Packets:
    """Decodes one stream's packets, in their order.

    live: whether packets can come too late, which those of a file can't. doze: lets packets wait
    while the picture is still; None decodes all.
    """

    def __init__(
        self,
        stream: Video,
        patience: Patience,
        *,
        keyframes_only: bool,
        live: bool,
        doze: Doze | None = None,
    ) -> None:
        check_size(stream.codec_context.width, stream.codec_context.height)
        self._sent = 0
        self._shown = False
        self._stream = stream
        self._patience = patience
        self._keyframes_only = keyframes_only
        self._lateness = Lateness() if live else None
        # Frames that are shown in another order may need those of before a key frame.
        self._doze = None if keyframes_only or stream.codec_context.has_b_frames else doze
        # As a number once: of every packet it would be a fraction made anew.
        self._tick_s = float(stream.time_base) if stream.time_base else None
        self._behind_s = 0.0
        self._leaves_out = False
        self._taken_at: dict[int, int] = {}
        self._seen_at = time.monotonic()

    def shots(self, packet: av.Packet[av.stream.Stream]) -> Iterator[Shot]:
        """The frames that a packet, of whatever stream, makes known.

        Raises StreamLost where no picture has come for too long, or one that is too large.
        """
        if packet.stream_index == self._stream.index:
            for shot in self._shots(cast("av.Packet[Video]", packet)):
                yield shot
                self._seen_at = time.monotonic()
        patience_s = self._patience_s
        if time.monotonic() - self._seen_at > patience_s:
            raise StreamLost(f"it sends, but no picture within {patience_s:g} s")

    @property
    def in_vain(self) -> bool:
        """Whether the decoder was given enough for a picture, and showed none."""
        return self._sent > MOST_HELD and not self._shown

    @property
    def _patience_s(self) -> float:
        usual = self._shown and not self._keyframes_only
        return self._patience.picture_s if usual else self._patience.first_picture_s

    def _shots(self, packet: av.Packet[Video]) -> Iterator[Shot]:
        if not self._is_wanted(packet):
            return
        if self._doze is not None and self._shown:
            if self._doze.keeps(packet):
                yield Shot(None, self._stamp(packet), behind_s=self._behind_s)
                return
            for waited in self._doze.made_up():
                self._frames(waited)
        for frame in self._frames(packet):
            check_size(frame.width, frame.height)
            self._shown = True
            if packet.is_keyframe and frame.pict_type != PictureType.I:
                self._doze = None  # it is no new beginning: what waits before such is needed
            taken_at = self._taken_at.get(frame.pts) if frame.pts is not None else None
            yield Shot(frame, frame.time, taken_at, self._behind_s)

    def _is_wanted(self, packet: av.Packet[Video]) -> bool:
        if not packet.size:  # the end: what the decoder still holds
            return True
        late = self._is_late(packet)
        if packet.is_keyframe:
            self._leaves_out = late
            return True
        # The others can't be shown without those before them, up to the next key frame.
        self._leaves_out = self._leaves_out or late
        return not (self._leaves_out or self._keyframes_only)

    def _is_late(self, packet: av.Packet[Video]) -> bool:
        stamp = self._stamp(packet)
        if self._lateness is None or stamp is None:
            return False
        self._behind_s = self._lateness.behind_s(stamp, time.monotonic())
        late = self._behind_s > LATE_S
        if late and not self._leaves_out:
            log.warning("frames come faster than they can be decoded: some are left out")
        return late

    def _stamp(self, packet: av.Packet[Video]) -> float | None:
        """Seconds of the stream's own clock."""
        ticks = packet.pts if packet.dts is None else packet.dts
        return None if ticks is None or self._tick_s is None else ticks * self._tick_s

    def _date(self, packet: av.Packet[Video]) -> None:
        """Keeps the time that a sender's report of RTCP gives to the packet."""
        if packet.pts is None or not packet.has_sidedata("prft"):
            return
        micros, _ = _REFERENCE_TIME.unpack_from(bytes(packet.get_sidedata("prft")))
        self._taken_at[packet.pts] = micros * 1000
        if len(self._taken_at) > MOST_HELD:
            del self._taken_at[next(iter(self._taken_at))]

    def _frames(self, packet: av.Packet[Video]) -> list[av.VideoFrame]:
        """What can be decoded; after a gap, a camera sends some packets that can't be."""
        self._date(packet)
        self._sent += 1
        context = self._stream.codec_context
        try:
            frames = packet.decode()
            if self._keyframes_only and packet.size:
                # The decoder would hold it back until the frames after it came, and none do.
                held = context.decode(None)
                context.flush_buffers()
                for frame in held:
                    frame.time_base = packet.time_base
                frames += held
        except (av.FFmpegError, NotImplementedError):
            return []
        return frames


def check_size(width: int, height: int) -> None:
    """Raises StreamLost for a picture larger than 8K."""
    if width * height > MOST_PIXELS:
        raise StreamLost(
            f"its picture of {width}x{height} is larger than 8K: choose a smaller one at the "
            "camera, or its sub-stream"
        )
