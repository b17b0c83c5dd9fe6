"""A picture that is black for a while is noticed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.faces.face import Picture
from ingest.reading.black import BLACK_S, BlackFinder
from ingest.reading.cut import luma_points
from tests.ingest.clips import video_frame

POINTS = 18 * 32


def luma(level: float, noise: float = 0.0) -> NDArray[np.uint8]:
    random = np.random.default_rng(0)
    return np.clip(random.normal(level, noise, POINTS), 0, 255).astype(np.uint8)


def changes(pictures: list[NDArray[np.uint8]], step_s: float = 1.0) -> list[int]:
    finder = BlackFinder()
    return [i for i, points in enumerate(pictures) if finder.changed(points, i * step_s)]


@pytest.mark.parametrize("level", [0, 16])
def test_black_is_said_once_and_that_it_is_over(level: float) -> None:
    black = luma(level, noise=2)
    assert changes([luma(90), *[black] * 20, luma(90), luma(90)]) == [1 + round(BLACK_S), 21]


def test_the_time_written_into_the_picture_does_not_light_it() -> None:
    black = luma(16)
    black[:25] = 235
    assert changes([black] * 10) == [round(BLACK_S)]


def test_a_night_is_not_black_nor_is_a_short_moment() -> None:
    assert changes([luma(30, noise=8)] * 20) == []
    assert changes(([luma(16)] * 4 + [luma(90)]) * 5) == []


def test_a_real_picture_is_not_black_and_a_covered_lens_is(astronaut: Picture) -> None:
    dark = (astronaut * 0.02).astype(np.uint8)
    for picture, black in ((astronaut, []), (dark, [round(BLACK_S)])):
        points = luma_points(video_frame(picture).reformat(format="yuv420p"))
        assert changes([points] * 10) == black
