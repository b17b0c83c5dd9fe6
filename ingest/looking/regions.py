"""Parts of the picture: polygons of x y, 0 to 1."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Polygon = Sequence[tuple[float, float]]


def holds(polygon: Polygon, x: float, y: float) -> bool:
    """Whether a point is inside or on the edge. x, y: 0 to 1 of the picture."""
    return cv2.pointPolygonTest(np.array(polygon, np.float32), (x, y), False) >= 0


def cells_outside(polygons: Sequence[Polygon], rows: int, columns: int) -> NDArray[np.bool_]:
    """Of a grid over the picture `(rows, columns)`, the cells whose middle is in no polygon."""
    outside = np.ones((rows, columns), bool)
    for row, column in np.ndindex(rows, columns):
        x, y = (column + 0.5) / columns, (row + 0.5) / rows
        outside[row, column] = not any(holds(polygon, x, y) for polygon in polygons)
    return outside
