"""How sure a measured rate is."""

from __future__ import annotations

import math
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A rate and the bounds of its confidence interval, 0 to 1."""

    rate: float
    low: float
    high: float


def clopper_pearson(rate: float, trials: float) -> Estimate:
    """The exact bounds (Clopper and Pearson 1934) at 95 % confidence.

    trials: independent ones; need not be whole, as in Korn and Graubard 1998, whose effective
    number of trials takes the place of the number where some depend on others.
    """
    from scipy.special import betaincinv

    tail, hits = (1 - CONFIDENCE) / 2, rate * trials
    misses = trials - hits
    low = float(betaincinv(hits, misses + 1, tail)) if hits > 0 else 0.0
    high = float(betaincinv(hits + 1, misses, 1 - tail)) if misses > 0 else 1.0
    return Estimate(rate, low, high)


def needed_trials(rate: float) -> int:
    """Independent trials without one error that bound a rate from above at 95 %: 3 / rate.

    The rule of three (Hanley and Lippman-Hand 1983).
    """
    return math.ceil(round(3 / rate, 6))


def supported_rate(trials: float) -> float:
    """The least rate that so many independent trials can support, at most 1."""
    return min(1.0, 3 / trials)
