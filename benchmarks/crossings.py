"""Made scenes with known truth: heads that cross, and heads that pass behind a pillar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.appearances import Box, Shown
from ingest.faces.face import Detector, Picture
from training.faces import central_face, read_photo

WIDTH, HEIGHT = 1280, 720
SECONDS = 6.0
FACE = 100  # pixels, high
#: A face of which less than this share is seen is not expected to be found.
LEAST_SEEN = 0.5
#: Face widths a second: strolling far off, walking, walking close by.
SPEEDS = (1.0, 2.0, 4.0, 6.0)
PILLAR = 1.5  # face widths


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A head cut out of a portrait. mask: bool `(h, w)`. box: of its face, within the picture."""

    picture: Picture
    mask: np.ndarray[tuple[int, int], np.dtype[np.bool_]]
    box: Box


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """A head's way: the middle of its face at a time, and its speed, in pixels and seconds."""

    head: Head
    x: float
    y: float
    speed: float

    def at(self, seconds: float) -> Box:
        """Where its face's box is."""
        _, _, width, height = self.head.box
        x = self.x + self.speed * (seconds - SECONDS / 2) - width / 2
        return x, self.y - height / 2, width, height


def heads(photos: list[Path], detector: Detector) -> list[Head]:
    """Heads whose faces are all of one height; photos without a face are passed over."""
    return [head for photo in photos if (head := _head(read_photo(photo), detector)) is not None]


def _head(photo: Picture, detector: Detector) -> Head | None:
    face = central_face(photo, detector)
    if face is None:
        return None
    scale = FACE / face.height
    picture = np.asarray(cv2.resize(photo, None, fx=scale, fy=scale), np.uint8)
    x, y, width, height = (scale * value for value in face.box)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    across = (columns - (x + width / 2)) / width
    down = (rows - (y + 0.4 * height)) / height
    return Head(picture, across**2 / 0.75**2 + down**2 / 0.8**2 < 1, (x, y, width, height))


def crossings(heads: list[Head], fps: float) -> Iterator[tuple[str, list[Shown]]]:
    """For each speed: two that cross, the second in front; and one behind a pillar."""
    for number, speed in enumerate(SPEEDS):
        one, other, third = (heads[(3 * number + i) % len(heads)] for i in range(3))
        paces = [speed * head.box[2] for head in (one, other, third)]
        crossing = [
            Walk(one, WIDTH / 2, 360, paces[0]),
            Walk(other, WIDTH / 2, 360 + 0.2 * FACE, -paces[1]),
        ]
        yield f"crossing, {speed:g} widths/s", list(_shown(crossing, fps, pillar=False))
        alone = [Walk(third, WIDTH / 2, 360, paces[2])]
        yield f"pillar, {speed:g} widths/s", list(_shown(alone, fps, pillar=True))


def _shown(walks: list[Walk], fps: float, *, pillar: bool) -> Iterator[Shown]:
    for number in range(round(SECONDS * fps)):
        seconds = number / fps
        picture = _scene()
        owner = np.full((HEIGHT, WIDTH), -1)
        boxes: dict[str, Box] = {}
        for index, walk in enumerate(walks):
            boxes[str(index)] = walk.at(seconds)
            _draw(picture, owner, walk, boxes[str(index)], index)
        if pillar:
            half = PILLAR * walks[0].head.box[2] / 2
            left, right = round(WIDTH / 2 - half), round(WIDTH / 2 + half)
            picture[:, left:right] = (90, 80, 70)
            owner[:, left:right] = len(walks)
        yield Shown(seconds, picture, _seen(boxes, owner), cut=False)


def _scene() -> Picture:
    slope = np.linspace(150, 90, HEIGHT)[:, None] + 15 * np.sin(np.arange(WIDTH) / 40)[None]
    return np.repeat(slope.astype(np.uint8)[..., None], 3, axis=2)


def _draw(
    picture: Picture,
    owner: np.ndarray[tuple[int, int], np.dtype[np.int_]],
    walk: Walk,
    box: Box,
    index: int,
) -> None:
    """Puts a head where it is, and its index where it covers the picture."""
    head = walk.head
    left, top = round(box[0] - head.box[0]), round(box[1] - head.box[1])
    rows, columns = np.nonzero(head.mask)
    inside = (rows + top >= 0) & (rows + top < HEIGHT)
    inside &= (columns + left >= 0) & (columns + left < WIDTH)
    rows, columns = rows[inside], columns[inside]
    picture[rows + top, columns + left] = head.picture[rows, columns]
    owner[rows + top, columns + left] = index


def _seen(
    boxes: Mapping[str, Box], owner: np.ndarray[tuple[int, int], np.dtype[np.int_]]
) -> dict[str, Box]:
    """The boxes of which enough is seen, in the picture and not hidden."""
    found = {}
    for name, (x, y, width, height) in boxes.items():
        part = owner[max(0, round(y)) : round(y + height), max(0, round(x)) : round(x + width)]
        if (part == int(name)).sum() >= LEAST_SEEN * width * height:
            found[name] = (x, y, width, height)
    return found
