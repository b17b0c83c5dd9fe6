"""Boxes of a network's cells become faces, each once."""

from __future__ import annotations

import cv2
import numpy as np

from ingest.faces.face import Face, Floats

#: Boxes that share more than this (intersection over union) are one face.
OVERLAP = 0.3


def distinct(
    boxes: Floats, landmarks: Floats, scores: Floats, *, least: float, scale: float
) -> list[Face]:
    """The best of those that are of one face, best score first.

    boxes: `(n, 4)`. landmarks: `(n, 5, 2)`. scores: `(n,)`, 0 to 1; those below `least` are left
    out. scale: of the picture the network saw.
    """
    kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), least, OVERLAP)
    return [_face(boxes[i] / scale, landmarks[i] / scale, scores[i]) for i in kept]


def _face(box: Floats, landmarks: Floats, score: np.float32) -> Face:
    x, y, width, height = (float(value) for value in box)
    return Face((x, y, width, height), landmarks, float(score))
