"""Somebody who looks at a camera."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from ingest.backoff import Backoff
from ingest.camera import Camera, Frame
from ingest.reading.packets import Patience
from ingest.reading.stream import Reading

#: Short, but long enough for a machine that is busy.
PATIENCE = Patience(open_s=3.0, read_s=1.5, picture_s=1.5, first_picture_s=6.0)


def camera(url: str, *, fps: float = 15, **how: object) -> Camera:
    """A camera that is tried again at once. how: see Reading."""
    return Camera(
        "lobby",
        url,
        fps=fps,
        stop=threading.Event(),
        reading=Reading(patience=PATIENCE, **how),  # type: ignore[arg-type]
        backoff=Backoff(first_s=0.1, most_s=0.2),
    )


class Viewer:
    """Takes a camera's frames while the `with` block runs; causes: why there were none."""

    def __init__(self, reader: Camera) -> None:
        self.reader = reader
        self.frames: list[Frame] = []
        self.causes: set[str | None] = set()
        self._threads = [threading.Thread(target=one) for one in (self._look, self._ask)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.reader.stop.set()
        for thread in self._threads:
            thread.join()

    def _look(self) -> None:
        for frame in self.reader.frames():
            self.frames.append(frame)

    def _ask(self) -> None:
        while not self.reader.stop.is_set():
            self.causes.add(self.reader.lost)
            time.sleep(0.005)

    @property
    def epoch(self) -> int:
        """Of the last frame; 0 before the first."""
        return self.frames[-1].stream_epoch if self.frames else 0
