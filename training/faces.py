"""Photos of people become chips, by the same detection and alignment as at a camera."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from facetrail.wire import Chips, Encoder, Encodings
from ingest.faces.align import align
from ingest.faces.face import Detector, Face, Picture

BATCH = 32


def read_photo(path: Path) -> Picture:
    """RGB `(h, w, 3)`. Raises FileNotFoundError if it is missing or not an image."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise FileNotFoundError(f"{path} is not there or not an image")
    return np.ascontiguousarray(picture[..., ::-1], np.uint8)


def central_chip(picture: Picture, detector: Detector) -> Picture | None:
    """The chip of the face nearest to the middle, as LFW's photos are made; None without."""
    faces = detector.detect(picture)
    if not faces:
        return None
    return align(picture, min(faces, key=lambda face: _from_middle(face, picture)).landmarks)


def _from_middle(face: Face, picture: Picture) -> float:
    x, y, width, height = face.box
    middle = picture.shape[1] / 2, picture.shape[0] / 2
    return float(np.hypot(x + width / 2 - middle[0], y + height / 2 - middle[1]))


def central_chips(photos: Iterable[Path], detector: Detector) -> tuple[list[Path], Chips]:
    """The photos in which a face was found, and their chips `(n, 112, 112, 3)`."""
    found = [(path, central_chip(read_photo(path), detector)) for path in photos]
    kept = [(path, chip) for path, chip in found if chip is not None]
    chips = [chip for _, chip in kept]
    return [path for path, _ in kept], np.stack(chips) if chips else np.empty(
        (0, 112, 112, 3), np.uint8
    )


def encoded(chips: Chips, encoder: Encoder) -> Encodings:
    """Float32 `(n, 128)`, in batches."""
    return np.concatenate(
        [encoder.encode(chips[i : i + BATCH]) for i in range(0, max(1, len(chips)), BATCH)]
    )
