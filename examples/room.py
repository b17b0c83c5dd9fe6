"""Two drawn rooms for people to pass through, as a camera would see them empty."""

from __future__ import annotations

import cv2
import numpy as np

from ingest.faces.face import Picture

WIDTH, HEIGHT = 640, 360
#: Drawn larger and scaled down, so that edges are smooth.
SCALE = 2

Colour = tuple[int, int, int]
Points = tuple[tuple[float, float], ...]


class Canvas:
    """A picture to draw on, in pixels of the finished one."""

    def __init__(self, top: Colour, bottom: Colour) -> None:
        down = np.linspace(0, 1, HEIGHT * SCALE, dtype=np.float32)[:, None, None]
        rows = (1 - down) * np.array(top, np.float32) + down * np.array(bottom, np.float32)
        self._pixels = np.repeat(rows, WIDTH * SCALE, axis=1).astype(np.uint8)

    def box(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        self.shape(((x, y), (x + width, y), (x + width, y + height), (x, y + height)), colour)

    def shape(self, corners: Points, colour: Colour) -> None:
        points = (np.array(corners) * SCALE).astype(np.int32)
        cv2.fillPoly(self._pixels, [points], colour, cv2.LINE_AA)

    def oval(
        self, x: float, y: float, across: float, down: float, colour: Colour, *, turn: float = 0
    ) -> None:
        """An ellipse around x, y with these half axes, turned by degrees."""
        middle, axes = (
            (round(x * SCALE), round(y * SCALE)),
            (round(across * SCALE), round(down * SCALE)),
        )
        cv2.ellipse(self._pixels, middle, axes, turn, 0, 360, colour, -1, cv2.LINE_AA)

    def text(self, words: str, x: float, y: float, size: float, colour: Colour) -> None:
        at = (round(x * SCALE), round(y * SCALE))
        cv2.putText(
            self._pixels, words, at, cv2.FONT_HERSHEY_DUPLEX, size * SCALE, colour, 3, cv2.LINE_AA
        )

    def picture(self) -> Picture:
        """RGB `(HEIGHT, WIDTH, 3)`, darker towards the corners as lenses make it."""
        small = cv2.resize(self._pixels, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        across = np.linspace(-1, 1, WIDTH)[None, :, None]
        down = np.linspace(-1, 1, HEIGHT)[:, None, None]
        light = 1 - 0.22 * np.clip(across**2 + down**2, 0, 2) / 2
        return np.asarray(cv2.GaussianBlur(small * light, (0, 0), 0.8), np.uint8)


def lobby() -> Picture:
    """A wall with a glass door, a picture, a bench and a plant."""
    canvas = Canvas((236, 228, 212), (206, 194, 174))
    canvas.shape(((0, 290), (640, 290), (640, 360), (0, 360)), (128, 104, 84))
    for x in range(-600, 1300, 110):  # boards towards the vanishing point
        canvas.shape(((320 + (x - 320) * 0.75, 290), (x, 360), (x + 3, 360)), (108, 86, 68))
    canvas.box(0, 280, 640, 10, (246, 242, 234))
    _door(canvas)
    canvas.box(232, 62, 132, 92, (84, 66, 50))
    canvas.box(239, 69, 118, 78, (196, 214, 222))
    canvas.shape(
        ((239, 147), (239, 120), (280, 96), (318, 124), (340, 108), (357, 122), (357, 147)),
        (104, 132, 112),
    )
    canvas.box(196, 246, 200, 14, (94, 62, 40))
    for x in (206, 376):
        canvas.box(x, 260, 10, 46, (74, 48, 32))
    _plant(canvas)
    return canvas.picture()


def _door(canvas: Canvas) -> None:
    canvas.box(450, 52, 148, 238, (92, 74, 60))
    canvas.box(460, 62, 128, 228, (168, 196, 206))
    canvas.shape(((460, 200), (528, 62), (568, 62), (460, 280)), (188, 212, 220))
    canvas.box(520, 62, 8, 228, (92, 74, 60))
    for x in (510, 534):
        canvas.box(x, 165, 5, 46, (214, 206, 190))


def _plant(canvas: Canvas) -> None:
    for turn, shade in ((-70, 70), (-35, 92), (-100, 84), (-125, 64), (-85, 104), (-55, 80)):
        lean = np.deg2rad(turn)
        canvas.oval(
            80 + 46 * np.cos(lean), 226 + 58 * np.sin(lean), 62, 13, (40, shade + 20, 52), turn=turn
        )
    canvas.shape(((52, 232), (108, 232), (100, 312), (60, 312)), (178, 108, 78))
    canvas.box(48, 226, 64, 12, (196, 122, 90))


def garage() -> Picture:
    """Concrete, two pillars, a parked car and lamps."""
    canvas = Canvas((112, 116, 120), (142, 144, 144))
    canvas.shape(((0, 0), (640, 0), (640, 26), (0, 44)), (82, 86, 90))
    for x in (70, 280, 490):
        canvas.box(x, 12, 110, 9, (246, 250, 244))
    canvas.shape(((0, 262), (640, 262), (640, 360), (0, 360)), (104, 104, 102))
    for x in (-40, 200, 440, 680):
        canvas.shape(
            ((x, 262), (x + 6, 262), (x * 1.3 - 84, 360), (x * 1.3 - 96, 360)), (222, 206, 120)
        )
    _car(canvas)
    for x in (24, 566):
        _pillar(canvas, x)
    canvas.text("P2", 250, 112, 1.6, (198, 202, 204))
    return canvas.picture()


def _car(canvas: Canvas) -> None:
    canvas.oval(420, 298, 118, 10, (74, 74, 74))
    canvas.shape(((344, 226), (372, 190), (456, 190), (494, 226)), (52, 78, 112))
    canvas.shape(((354, 224), (377, 196), (412, 196), (412, 224)), (158, 178, 190))
    canvas.shape(((418, 224), (418, 196), (452, 196), (480, 224)), (158, 178, 190))
    canvas.shape(
        ((306, 240), (340, 224), (510, 224), (534, 244), (534, 284), (306, 284)), (62, 92, 132)
    )
    for x in (350, 488):
        canvas.oval(x, 284, 24, 24, (32, 32, 34))
        canvas.oval(x, 284, 11, 11, (150, 152, 156))
    canvas.box(306, 248, 12, 9, (244, 238, 206))
    canvas.box(524, 248, 10, 10, (186, 48, 44))


def _pillar(canvas: Canvas, x: float) -> None:
    canvas.box(x, 26, 50, 290, (168, 168, 164))
    canvas.box(x + 38, 26, 12, 290, (146, 146, 142))
    for y in range(228, 308, 20):
        canvas.shape(((x, y + 14), (x + 50, y), (x + 50, y + 10), (x, y + 24)), (226, 188, 40))
