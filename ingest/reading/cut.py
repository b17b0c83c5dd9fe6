"""Finds where a picture has become another one: a cut, or a camera turned away at once."""

from __future__ import annotations

import av
import cv2
import numpy as np
from numpy.typing import NDArray

ROWS, COLUMNS = 18, 32
#: Below this correlation two frames in a row show different scenes. In the clips measured,
#: movement keeps it above 0.55, and cuts bring it below 0.25.
LEAST_CORRELATION = 0.4
#: Noise in the dark is uncorrelated too, but small; in grey levels of 256.
LEAST_CHANGE = 10.0

#: Luma, 0 to 255.
Points = NDArray[np.uint8]


class CutFinder:
    """Compares each frame with the one before, by a few hundred points of its luma."""

    def __init__(self) -> None:
        self._before: Points | None = None
        self._size: tuple[int, int] | None = None

    def is_cut(self, frame: av.VideoFrame, points: Points | None = None) -> bool:
        """Whether the frame shows another scene than the one before, or is of another size.

        points: those of `luma_points`, if they are there already.
        """
        points = luma_points(frame) if points is None else points
        before, size = self._before, self._size
        self._before, self._size = points, (frame.width, frame.height)
        if before is None:
            return False
        if size != self._size or before.shape != points.shape:
            return True
        # Of every frame there is, most of which end here: OpenCV's has the least to set up.
        if cv2.norm(points, before, cv2.NORM_L1) < LEAST_CHANGE * points.size:
            return False
        return _correlation(points, before) < LEAST_CORRELATION


def luma_points(frame: av.VideoFrame) -> Points:
    """Samples of the first plane: luma, or for packed formats what comes first."""
    if frame.format.components[0].bits != 8:
        frame = frame.reformat(width=COLUMNS, height=ROWS, format="gray")
    plane = frame.planes[0]
    picture = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    down, across = max(1, plane.height // ROWS), max(1, plane.width // COLUMNS)
    return np.ascontiguousarray(picture[down // 2 :: down, across // 2 : plane.width : across])


def _correlation(points: Points, before: Points) -> float:
    a, b = points - points.mean(), before - before.mean()
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / length if length > 0 else 0.0
