"""Words beside boxes in a picture, where they cover no other words and no face."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
#: Left, top, right, bottom.
Corners = tuple[int, int, int, int]
WHITE: Colour = (255, 255, 255)
LEAST_LETTER = 14  # pixels
#: A line is so many times smaller than the picture's longer side.
LETTERS = 55


class Labels:
    """Labels in one picture. taken: what they must leave free."""

    def __init__(self, image: Image.Image, taken: Sequence[Corners]) -> None:
        self._image = image
        self._draw = ImageDraw.Draw(image)
        self._letter = max(LEAST_LETTER, max(image.size) // LETTERS)
        self._font = font(self._letter)
        self._taken = list(taken)

    def add(self, box: Corners, lines: Sequence[str], colour: Colour) -> None:
        """Below or above a box: all lines if there is room, else the first, else its start."""
        widest = max(self._image.width // 2, min(self._image.width, 16 * self._letter))
        narrow = max(box[2] - box[0], 3 * self._letter)
        for wanted, width in ((lines, widest), (lines[:1], widest), (lines[:1], narrow)):
            shown = [cut(line, self._font, width) for line in wanted]
            areas = self._beside(box, shown)
            free = [area for area in areas if not self._is_taken(area)]
            if free:
                break
        self._write((free or areas)[0], shown, colour)

    def _beside(self, box: Corners, lines: Sequence[str]) -> list[Corners]:
        width = round(max(self._font.getlength(line) for line in lines)) + 2 * self._pad
        height = self._step * len(lines) + 2 * self._pad
        left = max(0, min(box[0], self._image.width - width))
        tops = (max(0, min(top, self._image.height - height)) for top in (box[3], box[1] - height))
        return [(left, top, left + width, top + height) for top in tops]

    def _write(self, area: Corners, lines: Sequence[str], colour: Colour) -> None:
        self._taken.append(area)
        self._draw.rectangle(area, colour)
        for number, line in enumerate(lines):
            at = area[0] + self._pad, area[1] + self._pad + number * self._step
            self._draw.text(at, line, WHITE, self._font)

    @property
    def _pad(self) -> int:
        return self._letter // 3

    @property
    def _step(self) -> int:
        return round(self._letter * 1.25)

    def _is_taken(self, area: Corners) -> bool:
        return any(_overlap(area, other) for other in self._taken)


def _overlap(one: Corners, other: Corners) -> bool:
    across = one[0] < other[2] and other[0] < one[2]
    return across and one[1] < other[3] and other[1] < one[3]


def cut(line: str, letters: ImageFont.FreeTypeFont, width: float) -> str:
    """The line, or what fits of it."""
    if letters.getlength(line) <= width:
        return line
    while line and letters.getlength(line + "…") > width:
        line = line[:-1]
    return line + "…"


def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib carries: most of the world's letters but East Asia's."""
    import matplotlib

    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(file), size)
