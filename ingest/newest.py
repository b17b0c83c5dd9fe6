"""A place for one frame: the newest wins, so nothing queues up behind slow eyes."""

from __future__ import annotations

import threading
from dataclasses import replace

from ingest.camera import Frame


class NewestFrame:
    """Between one thread that puts and one that takes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Frame | None = None

    def put(self, frame: Frame) -> None:
        with self._changed:
            if self._frame is not None and frame.video is None:
                return  # nothing is newer in it
            if self._frame is not None:
                frame = replace(frame, cut=frame.cut or self._frame.cut)
            self._frame = frame
            self._changed.notify()

    def take(self, timeout_s: float) -> Frame | None:
        """The newest frame, waited for; None if none came."""
        with self._changed:
            if self._frame is None:
                self._changed.wait(timeout_s)
            frame, self._frame = self._frame, None
            return frame
