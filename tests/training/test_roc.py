"""Rates of pairs, on distances that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.roc import Distances, Flags, accepted_at, area_under_curve, equal_error_rate


def pairs(same: list[float], different: list[float]) -> tuple[Distances, Flags]:
    return np.array(same + different), np.arange(len(same) + len(different)) < len(same)


def test_the_accept_rate_is_read_at_the_share_of_false_ones() -> None:
    # Given a hundred different pairs at 1.00 to 1.99, and same pairs below and above them
    found = pairs([0.5, 0.5, 1.005, 1.5], [1 + i / 100 for i in range(100)])

    # I expect as many same ones as lie below the one different that is too many
    assert accepted_at(0.0, *found) == 0.5
    assert accepted_at(0.01, *found) == 0.75
    assert accepted_at(0.6, *found) == 1.0


@pytest.mark.parametrize(
    ("same", "different", "expected"),
    [
        ([0.1, 0.2], [0.3, 0.4], 1.0),
        ([0.3, 0.4], [0.1, 0.2], 0.0),
        ([0.1, 0.35], [0.3, 0.4], 0.75),
        ([0.3], [0.3, 0.3, 0.4, 0.1], 0.5),
        ([0.1, np.inf], [0.3, 0.4], 0.5),
    ],
)
def test_the_area_is_the_chance_that_a_same_pair_is_nearer(
    same: list[float], different: list[float], expected: float
) -> None:
    assert area_under_curve(*pairs(same, different)) == expected


@pytest.mark.parametrize(
    ("same", "different", "expected"),
    [
        ([0.1, 0.2], [0.3, 0.4], 0.0),
        ([0.1, 0.2, 0.3, 0.6], [0.5, 0.7, 0.8, 0.9], 0.25),
        ([0.3, 0.4], [0.1, 0.2], 1.0),
        ([0.1, 0.2, 0.3, np.inf], [0.25, 0.7, 0.8, 0.9], 0.25),
    ],
)
def test_the_equal_error_rate_is_where_both_errors_meet(
    same: list[float], different: list[float], expected: float
) -> None:
    assert equal_error_rate(*pairs(same, different)) == expected


def test_chance_is_half_an_area_and_half_an_error() -> None:
    random = np.random.default_rng(0)
    found = pairs(random.random(5000).tolist(), random.random(5000).tolist())
    assert area_under_curve(*found) == pytest.approx(0.5, abs=0.02)
    assert equal_error_rate(*found) == pytest.approx(0.5, abs=0.02)
