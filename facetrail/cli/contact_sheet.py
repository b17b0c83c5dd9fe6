"""Pictures of many people on one sheet, a row each."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from facetrail.cli.draw import GROUND
from facetrail.cli.labels import WHITE, cut, font

#: Pictures of a row, and rows of a sheet.
MOST_PICTURES = 6
MOST_ROWS = 200
#: Of one picture, in pixels: a camera's are far smaller, and this takes 50 MB once decoded.
MOST_PIXELS = 4096 * 4096
SIDE, GAP, HEAD = 176, 8, 30  # pixels
LETTER = 18


@dataclass(frozen=True, slots=True)
class Row:
    """Somebody's name, words on them and their pictures, JPEG."""

    name: str
    words: str
    pictures: Sequence[bytes]


def contact_sheet(rows: Sequence[Row]) -> Image.Image:
    """A sheet of at most MOST_ROWS rows; one without rows says so."""
    width = GAP + MOST_PICTURES * (SIDE + GAP)
    step = HEAD + SIDE + GAP
    sheet = Image.new("RGB", (width, GAP + max(len(rows) * step, HEAD)), GROUND)
    draw, letters = ImageDraw.Draw(sheet), font(LETTER)
    if not rows:
        draw.text((GAP, GAP), "nobody", WHITE, letters)
    for number, row in enumerate(rows):
        top = GAP + number * step
        line = cut(f"{row.name}  {row.words}", letters, width - 2 * GAP)
        draw.text((GAP, top), line, WHITE, letters)
        for place, picture in enumerate(row.pictures[:MOST_PICTURES]):
            sheet.paste(_tile(picture), (GAP + place * (SIDE + GAP), top + HEAD))
    return sheet


def _tile(picture: bytes) -> Image.Image:
    """Its place stays empty where it is cut short, too large, or none."""
    try:
        with JpegImageFile(io.BytesIO(picture)) as image:
            if image.width * image.height <= MOST_PIXELS:
                return ImageOps.pad(image.convert("RGB"), (SIDE, SIDE), color=GROUND)
    except (OSError, SyntaxError, ValueError):  # Pillow's words for what is no JPEG
        pass
    return Image.new("RGB", (SIDE, SIDE), GROUND)
