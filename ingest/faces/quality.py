"""How good a chip is."""

from __future__ import annotations

import cv2
import numpy as np

from facetrail.wire import Quality
from ingest.faces.face import Face, Floats, Picture

#: Of a chip: the face without what is around it.
MIDDLE = np.s_[28:104, 24:88]
#: At and above these a face is as good as it gets for that measure.
FULL_HEIGHT = 112.0  # pixels of the frame: more would be thrown away by the chip
FULL_SHARPNESS = 300.0  # variance of the Laplacian, of a chip
#: What a full profile takes off: it says less of a person, but not nothing.
PROFILE_COSTS = 0.8
#: What looking straight up or down takes off.
PITCH_COSTS = 0.5
#: Where between the eyes and the mouth the nose is in a level face, the median of LFW with
#: either detector, and how far from there it comes of one that looks straight up or down.
LEVEL, STEEP = 0.56, 0.4
#: Between these means of a chip's middle nothing is too dark or too bright, 0 to 1.
DARK, BRIGHT = 0.25, 0.8


def quality_of(face: Face, chip: Picture) -> Quality:
    """What makes a face hard to recognise, and all in one: the product of what each leaves."""
    grey = cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY)
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    sharpness = float(deviation[0, 0]) ** 2
    brightness = float(grey[MIDDLE].mean()) / 255
    score = (
        most_quality_of(face)
        * (0.5 + 0.5 * min(1.0, sharpness / FULL_SHARPNESS))
        * (0.5 + 0.5 * lighting(brightness))
    )
    return Quality(
        height=face.height,
        sharpness=sharpness,
        yaw=yaw_of(face.landmarks),
        pitch=pitch_of(face.landmarks),
        brightness=brightness,
        score=score,
    )


def most_quality_of(face: Face) -> float:
    """The quality of a face if its chip is as sharp and as well lit as can be."""
    return (
        min(1.0, face.height / FULL_HEIGHT)
        * (1.0 - PROFILE_COSTS * yaw_of(face.landmarks))
        * (1.0 - PITCH_COSTS * pitch_of(face.landmarks))
    )


def lighting(brightness: float) -> float:
    """1 where a face is lit well, 0 where it is black or white."""
    return max(0.0, min(1.0, brightness / DARK, (1.0 - brightness) / (1.0 - BRIGHT)))


def pitch_of(landmarks: Floats) -> float:
    """0 level to 1 looking straight up or down: where the nose is between eyes and mouth."""
    eyes, nose, mouth = landmarks[:2].mean(0), landmarks[2], landmarks[3:].mean(0)
    down = mouth - eyes
    distance = float(np.hypot(*down))
    if distance < 1e-3:
        return 1.0
    place = float(np.dot(nose - eyes, down)) / distance**2
    return min(1.0, abs(place - LEVEL) / STEEP)


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
