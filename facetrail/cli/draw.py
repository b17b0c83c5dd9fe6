"""Faces drawn into their photo, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from facetrail.cli.labels import WHITE, Colour, Corners, Labels, cut, font
from ingest.faces.face import Face, Picture

Kind = Literal["named", "unknown", "unjudged"]
#: Dark enough for white letters on them.
COLOURS: dict[Kind, Colour] = {
    "named": (20, 110, 55),
    "unknown": (170, 75, 0),
    "unjudged": (85, 85, 85),
}
GROUND: Colour = (32, 32, 36)
#: Pixels of the longer side; a smaller photo is enlarged, or no word would fit.
LEAST_SIDE = 900
#: The most each photo of a pair takes, width and height in pixels.
PAIR = (900, 720)
HEAD = 110  # pixels


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """What is drawn at a face."""

    face: Face
    lines: Sequence[str]
    kind: Kind


def with_marks(picture: Picture, marks: Sequence[Mark]) -> Image.Image:
    """The photo with a box and words at each face; a small photo is enlarged."""
    return _marked(picture, marks, max(1.0, LEAST_SIDE / max(picture.shape[:2])))


def pair(
    pictures: Sequence[tuple[Picture, Mark]], verdict: str, why: str, kind: Kind
) -> Image.Image:
    """Two photos side by side under a verdict."""
    shown = [_fitted(picture, mark) for picture, mark in pictures]
    height = max(photo.height for photo in shown)
    canvas = Image.new("RGB", (sum(photo.width for photo in shown), HEAD + height), GROUND)
    left = 0
    for photo in shown:
        canvas.paste(photo, (left, HEAD + (height - photo.height) // 2))
        left += photo.width
    _head(canvas, verdict, why, kind)
    return canvas


def _head(canvas: Image.Image, verdict: str, why: str, kind: Kind) -> None:
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, 0, canvas.width, HEAD), COLOURS[kind])
    for line, top, size in ((verdict, 14, 36), (why, 62, 22)):
        letters = font(size)
        words = cut(line, letters, canvas.width - 20)
        draw.text((canvas.width / 2, top), words, WHITE, letters, anchor="ma")


def _fitted(picture: Picture, mark: Mark) -> Image.Image:
    scale = min(PAIR[0] / picture.shape[1], PAIR[1] / picture.shape[0])
    return _marked(picture, [mark], scale)


def _marked(picture: Picture, marks: Sequence[Mark], scale: float) -> Image.Image:
    """Boxes first, so that none lies over a word."""
    image = _scaled(picture, scale)
    draw = ImageDraw.Draw(image)
    boxes = [_box(mark.face, scale) for mark in marks]
    for box, mark in zip(boxes, marks, strict=True):
        draw.rectangle(box, outline=COLOURS[mark.kind], width=max(3, max(image.size) // 300))
    labels = Labels(image, boxes)
    for box, mark in zip(boxes, marks, strict=True):
        labels.add(box, mark.lines, COLOURS[mark.kind])
    return image


def _scaled(picture: Picture, scale: float) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(picture))
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _box(face: Face, scale: float) -> Corners:
    x, y, width, height = (round(side * scale) for side in face.box)
    return x, y, x + max(1, width), y + max(1, height)
