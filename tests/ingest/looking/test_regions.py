"""Points and cells inside polygons."""

from __future__ import annotations

import pytest

from ingest.looking.regions import cells_outside, holds

LEFT = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]
#: An L, whose upper right is outside.
BENT = [(0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)]


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [(0.2, 0.2, True), (0.5, 0.3, True), (0.8, 0.2, False), (0.8, 0.8, True), (1.2, 0.8, False)],
)
def test_a_point_is_inside_or_on_the_edge(x: float, y: float, expected: bool) -> None:
    assert holds(BENT, x, y) is expected


def test_cells_are_those_whose_middle_is_in_no_polygon() -> None:
    assert cells_outside([LEFT], 2, 4).tolist() == [[False, False, True, True]] * 2
    assert cells_outside([], 2, 4).all()
    assert not cells_outside([LEFT, BENT], 2, 2)[1].any()
