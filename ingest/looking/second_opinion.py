"""Another detector's word on a new track: hands and hair are no faces to both."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from ingest.faces.face import Detector, Face, Picture
from ingest.looking.finder import is_same, moved

#: What it sees: a square of so many heights of the face, scaled to so many pixels; always of one
#: size, since a network takes longest for a picture of a size that it has not seen.
SPAN = 2.5
SIDE = 128
#: After a no it is asked again so much later.
AGAIN_S = 0.5


class SecondOpinion:
    """Asks a slower and stricter detector once of each track, in a part of the picture."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._agreed: set[int] = set()
        self._denied_at: dict[int, float] = {}

    def agrees(self, track: int, face: Face, picture: Picture, seconds: float) -> bool:
        """Whether the track's face is one to both, now or before. seconds: growing."""
        if track in self._agreed:
            return True
        if seconds - self._denied_at.get(track, -AGAIN_S) < AGAIN_S:
            return False
        if self._sees(face, picture):
            self._agreed.add(track)
            return True
        self._denied_at[track] = seconds
        return False

    def forget(self, tracks: Iterable[int]) -> None:
        """Of tracks that have ended."""
        for track in tracks:
            self._agreed.discard(track)
            self._denied_at.pop(track, None)

    def _sees(self, face: Face, picture: Picture) -> bool:
        x, y, width, height = face.box
        scale = SIDE / (SPAN * max(width, height, 1.0))
        left, top = x + width / 2 - SIDE / 2 / scale, y + height / 2 - SIDE / 2 / scale
        there = np.array([[scale, 0, -scale * left], [0, scale, -scale * top]], np.float32)
        part = np.asarray(cv2.warpAffine(picture, there, (SIDE, SIDE)), np.uint8)
        own = moved(face, 1.0, -left, -top)
        return any(
            is_same(own, moved(found, 1 / scale, 0, 0)) for found in self._detector.detect(part)
        )
