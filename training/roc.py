"""What lies between false accepts and false rejects, of pairs at a distance.

Everywhere: distance `(n,)`, infinite where a pair is never accepted; same `(n,)`, whether the
pair shows one person. There is at least one pair of each kind. ISO/IEC 19795-1 has the terms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Distances = NDArray[np.float64]
Flags = NDArray[np.bool_]


def accepted_at(far: float, distance: Distances, same: Flags) -> float:
    """Share of same pairs nearer than all but a share `far`, below 1, of the different ones."""
    different = np.sort(distance[~same])
    limit = different[int(far * len(different))]
    return float(np.mean(distance[same] < limit))


def area_under_curve(distance: Distances, same: Flags) -> float:
    """The chance that a same pair is nearer than a different one; a tie counts half.

    This is the area under the ROC curve (Hanley and McNeil 1982, Radiology 143).
    """
    different = np.sort(distance[~same])
    beyond = len(different) - np.searchsorted(different, distance[same], "right")
    at_least = len(different) - np.searchsorted(different, distance[same], "left")
    return float(np.mean((beyond + at_least) / 2) / len(different))


def equal_error_rate(distance: Distances, same: Flags) -> float:
    """Mean of false accept and false reject rate at the threshold where they differ least."""
    thresholds = np.unique(distance[np.isfinite(distance)])
    accepted, right = np.sort(distance[~same]), np.sort(distance[same])
    false_accepts = np.searchsorted(accepted, thresholds, "right") / len(accepted)
    false_rejects = 1 - np.searchsorted(right, thresholds, "right") / len(right)
    at = int(np.argmin(np.abs(false_accepts - false_rejects)))
    return float((false_accepts[at] + false_rejects[at]) / 2)
