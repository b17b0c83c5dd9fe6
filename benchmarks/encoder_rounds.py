"""Several ways to do one thing, timed side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Timing:
    """Medians of one run, in seconds. processor_s: of all threads together."""

    wall_s: float
    processor_s: float


def in_turn(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Timing]:
    """Each runs once untimed and then once in every round, so that load hits all alike."""
    for run in runs.values():
        run()
    taken: dict[str, list[Timing]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            taken[name].append(_timed(run))
    return {name: _medians(timings) for name, timings in taken.items()}


def _timed(run: Callable[[], object]) -> Timing:
    wall, processor = time.perf_counter(), time.process_time()
    run()
    return Timing(time.perf_counter() - wall, time.process_time() - processor)


def _medians(timings: list[Timing]) -> Timing:
    return Timing(
        median(timing.wall_s for timing in timings),
        median(timing.processor_s for timing in timings),
    )
