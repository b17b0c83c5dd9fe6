"""A picture made small enough for a detector."""

from __future__ import annotations

import cv2
import numpy as np

from ingest.faces.face import Picture


def scaled_down(picture: Picture, longest: int) -> tuple[Picture, float]:
    """The picture with its longer side at most `longest` pixels, and the scale applied."""
    height, width = picture.shape[:2]
    scale = min(1.0, longest / max(height, width))
    if scale == 1.0:
        return picture, 1.0
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8), scale
