"""Verification by the protocol of Labeled Faces in the Wild, View 2.

Huang et al. 2007, UMass TR 07-49, section 4: pairs in folds; for each fold the threshold
that is best on the others decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facetrail.wire import Encodings


@dataclass(frozen=True, slots=True)
class Pair:
    """Two photos, and whether they show one person."""

    fold: int
    first: Path
    second: Path
    same: bool


@dataclass(frozen=True, slots=True)
class Verification:
    """accuracy, deviation: mean and standard deviation over the folds, 0 to 1.

    threshold: mean of those chosen, a Euclidean distance. tar: share of same pairs accepted
    at a false accept rate of 1e-2 and of 1e-3.
    """

    accuracy: float
    deviation: float
    threshold: float
    tar: dict[float, float]


def read_pairs(pairs: Path, images: Path) -> list[Pair]:
    """The pairs of a file in LFW's form: `name n m` or `name n other m`, fold by fold.

    The first line holds the number of folds and of pairs of each kind in one.
    """
    head, *lines = pairs.read_text().splitlines()
    folds, each = (int(number) for number in head.split())
    if len(lines) != folds * 2 * each:
        raise ValueError(f"{pairs}: expected {folds * 2 * each} pairs, got {len(lines)}")
    return [_pair(line.split("\t"), i // (2 * each), images) for i, line in enumerate(lines)]


def _pair(words: list[str], fold: int, images: Path) -> Pair:
    first, number, *other, last = words
    second = other[0] if other else first
    return Pair(fold, _photo(images, first, number), _photo(images, second, last), same=not other)


def _photo(images: Path, name: str, number: str) -> Path:
    return images / name / f"{name}_{int(number):04d}.jpg"


def verify(pairs: list[Pair], encodings: dict[Path, Encodings]) -> Verification:
    """Figures over pairs whose photos all have an encoding `(128,)` of length 1."""
    first = np.stack([encodings[pair.first] for pair in pairs])
    second = np.stack([encodings[pair.second] for pair in pairs])
    distance = np.linalg.norm(first - second, axis=1)
    same = np.array([pair.same for pair in pairs])
    fold = np.array([pair.fold for pair in pairs])
    thresholds = [_best(distance[fold != f], same[fold != f]) for f in np.unique(fold)]
    accuracies = [
        np.mean((distance[fold == f] < threshold) == same[fold == f])
        for f, threshold in zip(np.unique(fold), thresholds, strict=True)
    ]
    return Verification(
        accuracy=float(np.mean(accuracies)),
        deviation=float(np.std(accuracies)),
        threshold=float(np.mean(thresholds)),
        tar={far: accepted_at(far, distance, same) for far in (1e-2, 1e-3)},
    )


def _best(distance: NDArray[np.float32], same: NDArray[np.bool_]) -> float:
    """The threshold that decides most pairs rightly."""
    order = np.argsort(distance)
    wrong = np.sum(same) + np.cumsum(np.where(same[order], -1, 1))
    at = int(np.argmin(wrong))
    beyond = distance[order[min(at + 1, len(order) - 1)]]
    return float((distance[order[at]] + beyond) / 2)


def accepted_at(far: float, distance: NDArray[np.float32], same: NDArray[np.bool_]) -> float:
    """Share of same pairs nearer than all but a share `far` of the different ones."""
    different = np.sort(distance[~same])
    limit = different[int(far * len(different))]
    return float(np.mean(distance[same] < limit))
