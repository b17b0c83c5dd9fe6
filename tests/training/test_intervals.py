"""Bounds of a rate, against tables."""

from __future__ import annotations

import pytest

from training.intervals import clopper_pearson, needed_trials, supported_rate


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        (0, 10, 0.0, 0.3085),
        (3, 10, 0.0667, 0.6525),
        (10, 10, 0.6915, 1.0),
        (1, 100, 0.0003, 0.0545),
    ],
)
def test_the_bounds_are_those_of_the_tables(
    hits: int, trials: int, low: float, high: float
) -> None:
    found = clopper_pearson(hits / trials, trials)
    assert found.rate == hits / trials
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


def test_half_a_trial_lies_between_its_neighbours() -> None:
    fewer, between, more = (clopper_pearson(0.0, trials).high for trials in (10, 10.5, 11))
    assert more < between < fewer


@pytest.mark.parametrize(("rate", "needed"), [(0.01, 300), (0.001, 3000), (0.03, 100), (0.9, 4)])
def test_a_rate_needs_three_times_its_inverse(rate: float, needed: int) -> None:
    assert needed_trials(rate) == needed
    assert supported_rate(needed) <= rate
    # with no error among them the rate is below the wanted one at 95 %, one-sided
    assert (1 - rate) ** needed <= 0.05


def test_no_rate_above_one_is_supported() -> None:
    assert supported_rate(0.5) == 1.0
