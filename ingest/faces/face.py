"""A face as every detector gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One detected face.

    box: x, y, width, height in pixels of the picture; may reach outside it.
    landmarks: float32 `(5, 2)`, x y in pixels: the subject's right eye, left eye, nose,
        right and left corner of the mouth.
    score: 0 to 1.
    """

    box: tuple[float, float, float, float]
    landmarks: Floats
    score: float

    @property
    def height(self) -> float:
        return self.box[3]

    @property
    def area(self) -> float:
        return self.box[2] * self.box[3]


def shared(face: Face, other: Face) -> float:
    """The area that two boxes have in common."""
    x, y, width, height = face.box
    left, top, other_width, other_height = other.box
    across = min(x + width, left + other_width) - max(x, left)
    down = min(y + height, top + other_height) - max(y, top)
    return max(0.0, across) * max(0.0, down)


class Detector(Protocol):
    """Boxes and five points of the faces in a picture."""

    def detect(self, picture: Picture) -> list[Face]:
        """Faces in an RGB `(h, w, 3)` picture, in its pixels, best score first."""
        ...
