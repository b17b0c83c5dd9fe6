"""The frames of a file, at its own rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from ingest.reading.packets import Shot
from ingest.sample import MOST_STEP_S

#: Seconds a frame, where a file does not say when its frames are due.
USUAL_STEP_S = 1 / 25


def paced(shots: Iterator[Shot], stop: threading.Event) -> Iterator[Shot]:
    """Each frame when it is due; the end comes when the last was shown."""
    due, before = time.monotonic(), None
    for shot in shots:
        if before is not None:
            due += _step(before, shot)
        if stop.wait(max(0.0, due - time.monotonic())):
            return
        yield shot
        before = shot
    if before is not None:
        stop.wait(max(0.0, due + _length(before) - time.monotonic()))


def _step(before: Shot, shot: Shot) -> float:
    """Seconds between two frames; a stamp that is missing or jumps is not believed."""
    if before.stamp is not None and shot.stamp is not None:
        step = shot.stamp - before.stamp
        if 0 <= step <= MOST_STEP_S:
            return step
    return _length(before)


def _length(shot: Shot) -> float:
    """Seconds for which a frame is shown."""
    frame, length = shot.video, 0.0
    if frame is not None and frame.duration and frame.time_base:
        length = float(frame.duration * frame.time_base)
    return length if 0 < length <= MOST_STEP_S else USUAL_STEP_S
