"""How good a chip is."""

from __future__ import annotations

import cv2
import numpy as np

from facetrail.wire import Quality
from ingest.faces.face import Face, Floats, Picture

#: At and above these a face is as good as it gets for that measure.
FULL_HEIGHT = 112.0  # pixels of the frame: more would be thrown away by the chip
FULL_SHARPNESS = 300.0  # variance of the Laplacian, of a chip
#: What a full profile takes off: it says less of a person, but not nothing.
PROFILE_COSTS = 0.8


def quality_of(face: Face, chip: Picture) -> Quality:
    """Size, sharpness and yaw of a face, and their product, each from 0 to 1."""
    grey = cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY)
    sharpness = float(cv2.Laplacian(grey, cv2.CV_64F).var())
    yaw = yaw_of(face.landmarks)
    score = (
        min(1.0, face.height / FULL_HEIGHT)
        * (0.5 + 0.5 * min(1.0, sharpness / FULL_SHARPNESS))
        * (1.0 - PROFILE_COSTS * yaw)
    )
    return Quality(height=face.height, sharpness=sharpness, yaw=yaw, score=score)


def yaw_of(landmarks: Floats) -> float:
    """0 frontal to 1 in profile: how far the nose is from the middle between the eyes.

    Measured along the line through the eyes, in halves of their distance.
    """
    right, left, nose = landmarks[:3]
    across = left - right
    distance = float(np.hypot(*across))
    if distance < 1e-3:
        return 1.0
    along = float(np.dot(nose - (right + left) / 2, across)) / distance
    return min(1.0, abs(along) / (distance / 2))
