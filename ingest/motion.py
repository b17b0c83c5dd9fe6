"""Which frames show something new: a still picture is not looked at again and again."""

from __future__ import annotations

from collections.abc import Sequence

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.looking.regions import Polygon, cells_outside

#: The picture is compared by this many cells of mean brightness,
ROWS, COLUMNS = 36, 64
#: each the mean of so many samples across and down, which takes the noise off.
SAMPLES = 4
#: One cell alone is noise.
LEAST_CELLS = 2
#: After the last movement frames are looked at for so long: what came to rest is seen well.
LINGER_S = 3.0
#: A still picture is looked at again after so long.
REST_S = 10.0

Cells = NDArray[np.float32]


class MotionGate:
    """Says of each frame of one stream whether to look at it.

    It is compared with the last one that was looked at, so a slow change adds up and is seen.
    threshold: grey levels of 256 by which cells must differ. masks: where changes don't count.
    still: whether nothing moved for a while.
    """

    def __init__(self, threshold: float, masks: Sequence[Polygon]) -> None:
        self.still = False
        self._threshold = threshold
        self._counts = cells_outside(masks, ROWS, COLUMNS)
        self._looked_at: Cells | None = None
        self._look_at_s = 0.0
        self._moved_at_s = 0.0

    def look_on(self, seconds: float) -> None:
        """Has what comes looked at for a while, as after a movement."""
        self.still, self._moved_at_s = False, seconds

    def forget(self) -> None:
        """Has the next frame looked at, whatever it shows."""
        self.still, self._looked_at = False, None

    def wants(self, frame: av.VideoFrame, seconds: float) -> bool:
        """Whether to look; a yes counts it as looked at. seconds: growing from call to call."""
        cells = brightness(frame)
        if self._differs(cells):
            self._moved_at_s = seconds
        self.still = seconds - self._moved_at_s >= LINGER_S
        if self.still and seconds - self._look_at_s < REST_S:
            return False
        self._looked_at, self._look_at_s = cells, seconds
        return True

    def _differs(self, cells: Cells) -> bool:
        if self._looked_at is None:
            return True
        changed = np.abs(cells - self._looked_at) > self._threshold
        return int(np.count_nonzero(changed & self._counts)) >= LEAST_CELLS


def brightness(frame: av.VideoFrame) -> Cells:
    """Float32 `(36, 64)`: the mean of some samples of each cell's luma, 0 to 255."""
    samples = np.ascontiguousarray(_samples(frame))
    cells = cv2.resize(samples, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
    return np.asarray(cells, np.float32)


def _samples(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Points of the luma, evenly spread; without converting the frame where it lies by itself."""
    kind = frame.format
    if kind.components[0].bits != 8 or kind.is_rgb or not (kind.is_planar or kind.name == "gray"):
        frame = frame.reformat(width=SAMPLES * COLUMNS, height=SAMPLES * ROWS, format="gray")
    plane = frame.planes[0]
    luma = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    down = max(1, plane.height // (SAMPLES * ROWS))
    across = max(1, plane.width // (SAMPLES * COLUMNS))
    return luma[: plane.height : down, : plane.width : across]
