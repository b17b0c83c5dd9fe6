"""Photos of people become chips, by the same detection and alignment as at a camera."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from facetrail.errors import BadPicture
from facetrail.wire import CHIP_SHAPE, Chips, Encodings
from index.photos.portrait import decoded, read
from ingest.faces.align import SIDE, align
from ingest.faces.face import Detector, Face, Picture

BATCH = 32

#: Cuts a face out of a picture: uint8 `(112, 112, 3)`, or None where that can't be done.
Crop = Callable[[Picture, Face], Picture | None]


class Encodes(Protocol):
    """What can be evaluated: an `Encoder`, or a baseline with encodings of another length."""

    id: str

    def encode(self, chips: Chips) -> Encodings:
        """Uint8 `(n, 112, 112, 3)` RGB to float32 `(n, length)`, rows of length 1."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class PhotoChips:
    """The chips of photos, and the photos that have none.

    paths: the n photos with a chip. crops: for each way to cut, uint8 `(n, 112, 112, 3)`.
    without_face, unreadable: the others, each with the reason.
    """

    paths: list[Path]
    crops: tuple[Chips, ...]
    without_face: list[BadPicture]
    unreadable: list[BadPicture]

    @property
    def chips(self) -> Chips:
        """Those cut in the first way."""
        return self.crops[0]


def read_photo(path: Path) -> Picture:
    """RGB `(h, w, 3)`, turned as its EXIF says. Raises BadPicture."""
    return decoded(path, read(path))


def aligned(picture: Picture, face: Face) -> Picture | None:
    """The chip as cameras send it, aligned by the five points."""
    return align(picture, face.landmarks)


def unaligned(picture: Picture, face: Face) -> Picture | None:
    """The face's box, made square about its middle, as large as a chip: no alignment at all.

    What lies outside the picture is black, as in an aligned chip.
    """
    x, y, width, height = face.box
    side = max(width, height)
    if side <= 0:
        return None
    scale = SIDE / side
    left, top = x + (width - side) / 2, y + (height - side) / 2
    transform = np.array([[scale, 0, -scale * left], [0, scale, -scale * top]], np.float32)
    return np.asarray(cv2.warpAffine(picture, transform, (SIDE, SIDE)), np.uint8)


def central_face(picture: Picture, detector: Detector) -> Face | None:
    """The face nearest to the middle, as LFW's photos are made."""
    faces = detector.detect(picture)
    return min(faces, key=lambda face: _from_middle(face, picture), default=None)


def _from_middle(face: Face, picture: Picture) -> float:
    x, y, width, height = face.box
    middle = picture.shape[1] / 2, picture.shape[0] / 2
    return float(np.hypot(x + width / 2 - middle[0], y + height / 2 - middle[1]))


def chips_of(
    photos: Iterable[Path],
    detector: Detector,
    crops: Sequence[Crop] = (aligned,),
    *,
    takes_chips: bool = False,
) -> PhotoChips:
    """Each photo's face nearest to the middle, cut in each of the ways.

    takes_chips: a picture of exactly 112x112 is a chip already, and stays as it is.
    """
    paths: list[Path] = []
    rows: list[list[Picture]] = []
    refused: dict[str, list[BadPicture]] = {"no_face": [], "not_an_image": []}
    for path in photos:
        try:
            rows.append(_cut(path, detector, crops, takes_chips=takes_chips))
            paths.append(path)
        except BadPicture as error:
            refused[error.reason].append(error)
    columns = zip(*rows, strict=True) if rows else ([] for _ in crops)
    chips = tuple(np.array(column, np.uint8).reshape(-1, *CHIP_SHAPE) for column in columns)
    return PhotoChips(paths, chips, refused["no_face"], refused["not_an_image"])


def _cut(
    path: Path, detector: Detector, crops: Sequence[Crop], *, takes_chips: bool
) -> list[Picture]:
    picture = read_photo(path)
    if takes_chips and picture.shape == CHIP_SHAPE:
        return [picture for _ in crops]
    face = central_face(picture, detector)
    cut = [crop(picture, face) if face is not None else None for crop in crops]
    chips = [chip for chip in cut if chip is not None]
    if len(chips) < len(crops):
        raise BadPicture("no_face", f"{path}: no face was found")
    return chips


def encoded(chips: Chips, encoder: Encodes) -> Encodings:
    """Float32 `(n, length)`, in batches."""
    return np.concatenate(
        [encoder.encode(chips[i : i + BATCH]) for i in range(0, max(1, len(chips)), BATCH)]
    )
