"""A camera opened by a command, and looked at for some seconds."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import av

from facetrail.addresses import shown
from facetrail.errors import StreamLost
from ingest.reading.capture import CaptureClock, Clock
from ingest.reading.hardware import Decoder
from ingest.reading.packets import Shot
from ingest.reading.stream import Opened, Reading, open_stream

#: Frames that are kept for a closer look.
KEPT = 6


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What was seen. fps: frames that came in a second. frames: some, evenly spaced."""

    opened: Opened
    first_picture_s: float
    fps: float | None
    clock: Clock
    frames: list[av.VideoFrame]


def view(address: str, reading: Reading, *, hwaccel: str, seconds: float) -> View:
    """Looks for so long after the first picture. Raises StreamLost, without the password."""
    viewer = _Viewer(seconds)
    began = time.monotonic()
    try:
        shots = open_stream(
            address,
            threading.Event(),
            reading,
            decoder=Decoder(hwaccel),
            on_open=viewer.opened.append,
        )
        for shot in shots:
            if not viewer.wants(shot, time.monotonic()):
                break
    except StreamLost as error:
        if not viewer.arrived:
            raise _no_picture(address, str(error)) from None
    if not viewer.arrived:
        raise _no_picture(address, "there is no picture in it")
    return viewer.seen(began)


class _Viewer:
    def __init__(self, seconds: float) -> None:
        self.opened: list[Opened] = []
        self.arrived: list[float] = []
        self._seconds = seconds
        self._clock = CaptureClock("")
        self._frames: list[av.VideoFrame] = []

    def wants(self, shot: Shot, now: float) -> bool:
        """Whether to go on after this one."""
        self.arrived.append(now)
        self._clock.at(shot.taken_at, time.time_ns())
        passed = now - self.arrived[0]
        if shot.video is not None and passed >= len(self._frames) * self._seconds / KEPT:
            self._frames.append(shot.video)
        return passed < self._seconds

    def seen(self, began: float) -> View:
        length = self.arrived[-1] - self.arrived[0]
        return View(
            opened=self.opened[-1],
            first_picture_s=self.arrived[0] - began,
            fps=(len(self.arrived) - 1) / length if length > 0 else None,
            clock=self._clock.source,
            frames=self._frames,
        )


def _no_picture(address: str, cause: str) -> StreamLost:
    return StreamLost(
        f"{shown(address)} shows no picture ({cause}): see whether another player shows it on "
        "this machine, and mend the address, the password or the camera"
    )
