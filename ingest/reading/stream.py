"""Decoded frames of one opening of a camera's address."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import av

from facetrail.errors import StreamLost
from ingest.reading.answer import check_answer
from ingest.reading.doze import Doze, Stillness
from ingest.reading.hardware import SOFTWARE, Decoder
from ingest.reading.paced import paced
from ingest.reading.packets import Packets, Patience, Shot, Video

#: Seconds for finding out why an opening failed.
WHY_S = 2.0


@dataclass(frozen=True, slots=True)
class Reading:
    """How an address is read.

    transport: tcp or udp, of RTSP. keyframes_only: whether all other frames are passed over.
    """

    transport: str = "tcp"
    keyframes_only: bool = False
    patience: Patience = Patience()


@dataclass(frozen=True, slots=True)
class Opened:
    """What an address turned out to be.

    size: width and height in pixels; 0 where only the first picture will say. fps: what the
    stream says of itself, or None. decoder: software, or the device. transport: of RTSP.
    """

    codec: str
    size: tuple[int, int]
    fps: float | None
    decoder: str
    transport: str | None


def is_file(address: str) -> bool:
    return "://" not in address and not address.startswith("webcam:")


def is_rtsp(address: str) -> bool:
    return address.startswith(("rtsp://", "rtsps://"))


def open_stream(
    address: str,
    stop: threading.Event,
    reading: Reading | None = None,
    *,
    decoder: Decoder | None = None,
    stillness: Stillness | None = None,
    on_open: Callable[[Opened], None] = lambda opened: None,
    on_packet: Callable[[], None] = lambda: None,
) -> Iterator[Shot]:
    """Decoded frames of a stream, or of a file at its own frame rate.

    decoder: None decodes in software. stillness: of a live stream, lets packets go undecoded
    while nothing moves. on_packet: called for whatever comes, a picture or not.
    Raises StreamLost for anything FFmpeg objects to.
    """
    opening = _Opening(address, reading or Reading(), decoder or Decoder("none"), stillness)
    shots = opening.shots(on_open, on_packet)
    return paced(shots, stop) if is_file(address) else shots


@dataclass(frozen=True, slots=True)
class _Opening:
    address: str
    reading: Reading
    decoder: Decoder
    stillness: Stillness | None

    def shots(
        self, on_open: Callable[[Opened], None], on_packet: Callable[[], None]
    ) -> Iterator[Shot]:
        try:
            with self._container() as container:
                video = _video(container)
                on_open(self._described(video))
                packets = Packets(
                    video,
                    self.reading.patience,
                    keyframes_only=self.reading.keyframes_only,
                    live=not is_file(self.address),
                    doze=self._doze(video),
                )
                yield from self._shots(container, packets, on_packet)
        except (av.FFmpegError, OSError) as error:
            # FFmpeg's own words hold the address.
            raise StreamLost(self._cause(error)) from None

    def _shots(
        self,
        container: av.container.InputContainer,
        packets: Packets,
        on_packet: Callable[[], None],
    ) -> Iterator[Shot]:
        asked_at = time.monotonic()
        try:
            # Of all streams: while only sound comes, it must be seen that no picture does.
            for packet in container.demux():
                if time.monotonic() - asked_at >= self.reading.patience.read_s:
                    # FFmpeg hands out what it held back, and would then wait as long again.
                    raise TimeoutError
                on_packet()
                yield from packets.shots(packet)
                asked_at = time.monotonic()
        finally:
            if packets.in_vain:
                self.decoder.give_up()

    def _container(self) -> av.container.InputContainer:
        patience = self.reading.patience
        if self.address.startswith("rtsp://"):
            check_answer(self.address, patience.open_s, method="OPTIONS")
        began = time.monotonic()
        try:
            return self._open()
        except (av.FFmpegError, OSError) as error:
            if self.decoder.has_gone():
                return self._open()
            stopped = time.monotonic() - began >= patience.open_s
            method = {"rtsp": "DESCRIBE", "http": "GET"}.get(self.address.partition("://")[0])
            if method is not None and (stopped or method == "GET"):
                check_answer(self.address, WHY_S, method=method)
            if isinstance(error, av.error.HTTPOtherClientError) and is_rtsp(self.address):
                # Some refuse to play where nobody wants the only stream, which is sound.
                return self._open(only_pictures=False)
            # FFmpeg calls it invalid data too when it was stopped while it waited for a server.
            if stopped and isinstance(error, av.error.InvalidDataError):
                raise TimeoutError from None
            raise

    def _open(self, *, only_pictures: bool = True) -> av.container.InputContainer:
        source, format_name, options = _how_to_open(self.address, self.reading.transport)
        if only_pictures and is_rtsp(self.address):
            options["allowed_media_types"] = "video"
        return av.open(
            source,
            format=format_name,
            options=options,
            timeout=(self.reading.patience.open_s, self.reading.patience.read_s),
            metadata_errors="replace",  # a camera's name need not be text
            hwaccel=self.decoder.accelerator,
        )

    def _doze(self, video: Video) -> Doze | None:
        if self.stillness is None or is_file(self.address):
            return None
        self.stillness.note(False, 0.0)
        return Doze(self.stillness, video.codec_context.width * video.codec_context.height)

    def _described(self, video: Video) -> Opened:
        context = video.codec_context
        return Opened(
            codec=context.name,
            size=(context.width, context.height),
            fps=float(video.average_rate) if video.average_rate else None,
            decoder=self.decoder.name if context.is_hwaccel else SOFTWARE,
            transport=self.reading.transport if is_rtsp(self.address) else None,
        )

    def _cause(self, error: OSError | av.FFmpegError) -> str:
        """Why there is no stream, in a few words."""
        if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
            return "the camera refused the user or password"
        if isinstance(error, av.error.HTTPNotFoundError):
            return "the camera has nothing at the path of its url (404): check it"
        if isinstance(error, av.error.ExitError | TimeoutError):
            return f"no answer within {self.reading.patience.read_s:g} s"
        if isinstance(error, av.error.InvalidDataError):
            what = "the file" if is_file(self.address) else "what it sends"
            return f"{what} is no video, or a spoilt one"
        if error.errno == errno.EPROTONOSUPPORT and is_rtsp(self.address):
            return f"the camera does not send over {self.reading.transport}: set its transport"
        if error.errno == errno.EPERM and not is_file(self.address):  # what FFmpeg makes of it
            return "its answer can't be understood"
        return error.strerror or type(error).__name__


def _how_to_open(address: str, transport: str) -> tuple[str, str | None, dict[str, str]]:
    if address.startswith("webcam:"):
        return f"/dev/video{address.removeprefix('webcam:')}", "v4l2", {}
    if is_rtsp(address):
        return address, None, {"rtsp_transport": transport, "analyzeduration": "1000000"}
    return address, None, {}


def _video(container: av.container.InputContainer) -> Video:
    if not container.streams.video:
        raise StreamLost("there is no picture in it, only other streams")
    stream = container.streams.video[0]
    # Threads of FFmpeg's own would hold frames back, one each.
    stream.codec_context.thread_count = 1
    return stream
