"""Ways timed side by side take turns."""

from __future__ import annotations

import time

import pytest

from benchmarks.encoder_rounds import in_turn


def test_each_runs_once_untimed_and_then_in_every_round() -> None:
    order: list[str] = []
    in_turn({name: lambda name=name: order.append(name) for name in "ab"}, rounds=2)
    assert order == ["a", "b"] * 3


def test_a_median_leaves_one_slow_round_away() -> None:
    pauses = iter([0, 0.001, 0.5, 0.001])
    timing = in_turn({"way": lambda: time.sleep(next(pauses))}, rounds=3)["way"]
    assert 0.001 <= timing.wall_s < 0.5
    assert timing.processor_s < timing.wall_s


def test_a_way_that_fails_is_no_figure() -> None:
    with pytest.raises(ZeroDivisionError):
        in_turn({"way": lambda: 1 / 0}, rounds=1)
