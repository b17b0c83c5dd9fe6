"""The faces of a frame: found in the whole of it, or also in tiles where they are far away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ingest.faces.face import Detector, Face, Picture, shared
from ingest.looking.regions import Polygon, holds
from ingest.looking.sight import Sight

#: Tiles share this much of their sides with the next: a face on a seam is whole in one of them.
SHARED = 0.2
#: A box nearer to a seam than this share of itself is taken for a face cut in two.
CUT_OFF = 0.05
#: Boxes that share more than this (intersection over union) are one face,
OVERLAP = 0.3
#: and so is one of which more than this lies within another.
WITHIN = 0.6

Corners = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of the picture, in whole pixels."""

    left: int
    top: int
    right: int
    bottom: int


class Finder:
    """Finds the faces of one camera's frames, but for those in its masks.

    width: pixels of the longer side in which the detector sees a picture or tile.
    tiles: how many in a row and in a column; 1 is the picture alone.
    """

    def __init__(
        self, detector: Detector, *, width: int, tiles: int = 1, masks: Sequence[Polygon] = ()
    ) -> None:
        self._detector = detector
        self._width = width
        self._tiles = tiles
        self._masks = masks

    def faces(self, sight: Sight) -> list[Face]:
        """In pixels of the frame, best score first."""
        small, scale = sight.scaled(self._width)
        faces = [moved(face, 1 / scale, 0, 0) for face in self._detector.detect(small)]
        if self._tiles > 1:
            faces = merged([*faces, *self._in_tiles(sight.picture)])
        height, width = sight.video.height, sight.video.width
        return [face for face in faces if not self._is_masked(face, width, height)]

    def _in_tiles(self, picture: Picture) -> Iterator[Face]:
        height, width = picture.shape[:2]
        for tile in tiles(width, height, self._tiles):
            part = np.ascontiguousarray(picture[tile.top : tile.bottom, tile.left : tile.right])
            for face in self._detector.detect(part):
                own = moved(face, 1.0, tile.left, tile.top)
                if not _is_cut_off(own, tile, width, height):
                    yield own

    def _is_masked(self, face: Face, width: int, height: int) -> bool:
        x, y, box_width, box_height = face.box
        middle = (x + box_width / 2) / width, (y + box_height / 2) / height
        return any(holds(mask, *middle) for mask in self._masks)


def tiles(width: int, height: int, count: int) -> list[Tile]:
    """`count` in a row and in a column, each sharing a part with the next."""
    across, down = _spans(width, count), _spans(height, count)
    return [Tile(left, top, right, bottom) for top, bottom in down for left, right in across]


def _spans(length: int, count: int) -> list[tuple[int, int]]:
    side = length / (count - (count - 1) * SHARED)
    begins = [round(i * side * (1 - SHARED)) for i in range(count)]
    return [(begin, min(length, round(begin + side))) for begin in begins]


def merged(faces: Sequence[Face]) -> list[Face]:
    """Each face once, best score first."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda one: -one.score):
        if not any(is_same(face, one) for one in kept):
            kept.append(face)
    return kept


def is_same(face: Face, other: Face) -> bool:
    """Whether two boxes are of one face."""
    common, areas = shared(face, other), (face.area, other.area)
    return common > OVERLAP * (sum(areas) - common) or common > WITHIN * min(areas)


def _is_cut_off(face: Face, tile: Tile, width: int, height: int) -> bool:
    """Whether a tile's inner edge may have cut the face; the picture's own edges do not count."""
    x, y, box_width, box_height = face.box
    near_x, near_y = CUT_OFF * box_width, CUT_OFF * box_height
    return (
        (tile.left > 0 and x < tile.left + near_x)
        or (tile.top > 0 and y < tile.top + near_y)
        or (tile.right < width and x + box_width > tile.right - near_x)
        or (tile.bottom < height and y + box_height > tile.bottom - near_y)
    )


def moved(face: Face, scale: float, left: float, top: float) -> Face:
    """A face in other pixels: scaled, then moved."""
    if scale == 1.0 and not left and not top:
        return face
    x, y, width, height = face.box
    box = (scale * x + left, scale * y + top, scale * width, scale * height)
    landmarks = (scale * face.landmarks + (left, top)).astype(np.float32)
    return replace(face, box=box, landmarks=landmarks)
