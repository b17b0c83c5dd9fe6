"""Five landmarks and a picture become the aligned 112x112 chip."""

from __future__ import annotations

import cv2
import numpy as np

from ingest.faces.face import Floats, Picture

SIDE = 112
MOST_SCALE = SIDE  # the whole face would be one pixel of the picture

# Where ArcFace (Deng et al. 2019, arXiv:1801.07698) puts the five points, x y in pixels.
TEMPLATE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    np.float32,
)


def align(picture: Picture, landmarks: Floats) -> Picture | None:
    """The `(112, 112, 3)` chip of a face, or None where its five points fall together.

    A similarity transform by least median of squares: one landmark gone wrong does not
    turn the face.
    """
    transform, _ = cv2.estimateAffinePartial2D(landmarks, TEMPLATE, method=cv2.LMEDS)
    if transform is None or not np.hypot(*transform[:, 0]) < MOST_SCALE:
        return None
    chip = cv2.warpAffine(picture, transform, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    return np.asarray(chip, np.uint8)
