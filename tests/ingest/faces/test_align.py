"""Five points and a picture become a chip with the points on the template."""

from __future__ import annotations

import numpy as np
import pytest

from ingest.faces.align import SIDE, TEMPLATE, align
from ingest.faces.face import Detector, Floats, Picture


def test_points_of_the_template_map_onto_themselves() -> None:
    random = np.random.default_rng(0)
    chip = random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    aligned = align(chip, TEMPLATE)
    assert aligned is not None
    assert np.array_equal(aligned, chip)


def test_a_turned_and_enlarged_face_is_set_upright() -> None:
    # Given dots where the five points of a face twice as large lie, turned by 30 degrees
    points = _moved(TEMPLATE, scale=2.0, degrees=30, shift=(150, 40))
    picture = _with_dots(points)

    chip = align(picture, points)

    # I expect the dots on the template
    assert chip is not None
    assert (chip.shape, chip.dtype) == ((SIDE, SIDE, 3), np.dtype("uint8"))
    for x, y in TEMPLATE.round().astype(int):
        assert chip[y, x].min() > 200


def test_one_point_gone_wrong_does_not_turn_the_face() -> None:
    points = _moved(TEMPLATE, scale=2.0, degrees=10, shift=(100, 60))
    picture = _with_dots(points)
    wrong = points.copy()
    wrong[2] += (60, -45)

    chip = align(picture, wrong)

    assert chip is not None
    for x, y in np.delete(TEMPLATE, 2, axis=0).round().astype(int):
        assert chip[y, x].min() > 200


@pytest.mark.parametrize(
    "points",
    [
        np.full((5, 2), 50, np.float32),
        np.full((5, 2), 50, np.float32) + np.arange(10, dtype=np.float32).reshape(5, 2) / 1e4,
        np.full((5, 2), np.nan, np.float32),
        np.full((5, 2), np.inf, np.float32),
    ],
)
def test_points_that_fall_together_make_no_chip(points: Floats) -> None:
    assert align(np.zeros((100, 100, 3), np.uint8), points) is None


def test_a_face_beyond_the_border_is_filled_with_black() -> None:
    picture = np.full((60, 60, 3), 255, np.uint8)
    chip = align(picture, TEMPLATE)
    assert chip is not None
    assert chip[:60, :60].min() == 255
    assert chip[61:].max() == 0


def test_a_face_in_a_very_wide_picture_is_aligned() -> None:
    points = TEMPLATE + np.array([35_000, 0], np.float32)
    picture = np.zeros((SIDE, 40_000, 3), np.uint8)
    picture[:, 35_000 : 35_000 + SIDE] = 255
    chip = align(picture, points)
    assert chip is not None
    assert chip[10:100, 10:100].min() == 255


def test_a_detected_face_fills_its_chip(detector: Detector, astronaut: Picture) -> None:
    (face,) = detector.detect(astronaut)
    chip = align(astronaut, face.landmarks)
    assert chip is not None
    (again,) = detector.detect(chip)
    assert np.linalg.norm(again.landmarks - TEMPLATE, axis=1).max() < 10


def _moved(points: Floats, *, scale: float, degrees: float, shift: tuple[float, float]) -> Floats:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray(scale * points @ turn + shift, np.float32)


def _with_dots(points: Floats) -> Picture:
    """A black picture with a white dot of 9x9 pixels at each point."""
    picture = np.zeros((500, 600, 3), np.uint8)
    for x, y in points.round().astype(int):
        picture[y - 4 : y + 5, x - 4 : x + 5] = 255
    return picture
