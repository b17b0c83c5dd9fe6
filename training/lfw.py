"""Verification by the protocol of Labeled Faces in the Wild, View 2.

Huang et al. 2007, UMass TR 07-49, section 4: pairs in folds; for each fold the threshold
that is best on the others decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facetrail.errors import BadSettings
from facetrail.wire import Encodings
from training.roc import accepted_at, area_under_curve, equal_error_rate

#: A single fold has no others: its pairs are dealt into so many parts that serve as folds.
PARTS = 10
FARS = (1e-2, 1e-3)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two photos, and whether they show one person. fold: counted from 0."""

    fold: int
    first: Path
    second: Path
    same: bool


@dataclass(frozen=True, slots=True)
class Verification:
    """What comes of deciding pairs.

    accuracy, deviation: mean and standard deviation over the folds, 0 to 1. threshold: mean
    of those chosen, a Euclidean distance. auc, eer, tar: see `training.roc`; tar at a false
    accept rate of 1e-2 and of 1e-3. pairs: how many there are. undecided: how many of them
    have a photo without encoding. Such a pair counts as decided wrongly in the accuracy; in
    auc, eer and tar it counts as never accepted if it shows one person, else not at all.
    """

    accuracy: float
    deviation: float
    threshold: float
    auc: float
    eer: float
    tar: dict[float, float]
    pairs: int
    undecided: int


def read_pairs(pairs: Path, images: Path) -> list[Pair]:
    """The pairs of a file in LFW's form: `name n m` or `name n other m`, fold by fold.

    The first line holds the number of folds and of pairs of each kind in one. Raises
    BadSettings, naming the line.
    """
    head, *lines = _lines(pairs)
    folds, each = _head(pairs, head)
    if len(lines) != folds * 2 * each:
        raise BadSettings(
            f"{pairs}: expected {folds * 2 * each} pairs, got {len(lines)}; get the whole file"
        )
    return [
        _pair(line.split(), i // (2 * each), images, place=f"{pairs}, line {i + 2}")
        for i, line in enumerate(lines)
    ]


def _lines(pairs: Path) -> list[str]:
    try:
        text = pairs.read_text(encoding="utf-8").rstrip()
    except OSError as error:
        raise BadSettings(f"{pairs} can't be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise BadSettings(f"{pairs} is no text; name a pairs file like LFW's pairs.txt") from error
    return text.split("\n")


def _head(pairs: Path, line: str) -> tuple[int, int]:
    words = line.split()
    if len(words) != 2 or not all(_is_count(word) for word in words):
        raise BadSettings(
            f"{pairs}, line 1: expected the number of folds and of pairs of each kind in one, "
            f"such as `10 300`, got {line[:40]!r}; name a pairs file like LFW's pairs.txt"
        )
    return int(words[0]), int(words[1])


def _is_count(word: str) -> bool:
    return word.isascii() and word.isdecimal() and 0 < int(word[:9]) < 10**8 and len(word) < 9


def _pair(words: list[str], fold: int, images: Path, *, place: str) -> Pair:
    first, number, *other, last = words if len(words) in (3, 4) else ("", "", "")
    if not _is_count(number) or not _is_count(last) or other == [first]:
        raise BadSettings(
            f"{place}: expected `name n m` for one person or `name n other m` for two, "
            f"got {' '.join(words)[:80]!r}; mend the line"
        )
    second = other[0] if other else first
    return Pair(fold, _photo(images, first, number), _photo(images, second, last), same=not other)


def _photo(images: Path, name: str, number: str) -> Path:
    return images / name / f"{name}_{int(number):04d}.jpg"


def in_folds(pairs: list[Pair], folds: set[int]) -> list[Pair]:
    """The pairs of these folds, counted from 1. Raises BadSettings for one that is not there."""
    there = {pair.fold + 1 for pair in pairs}
    if missing := folds - there:
        raise BadSettings(
            f"there is no fold {min(missing)}: the pairs file has folds 1 to {max(there)}"
        )
    return [pair for pair in pairs if pair.fold + 1 in folds]


def people_of(pairs: list[Pair]) -> set[str]:
    """Everyone of whom a photo is in a pair."""
    return {photo.parent.name for pair in pairs for photo in (pair.first, pair.second)}


def photos_of(pairs: list[Pair]) -> list[Path]:
    """Every photo of the pairs once, in order. Raises BadSettings, naming one not there."""
    photos = sorted({photo for pair in pairs for photo in (pair.first, pair.second)})
    missing = [photo for photo in photos if not photo.is_file()]
    if missing:
        raise BadSettings(
            f"{missing[0]} is not there ({len(missing)} of the pairs' {len(photos)} photos are "
            "missing); name the folder that has a folder of photos per person"
        )
    return photos


def verify(pairs: list[Pair], encodings: Mapping[Path, Encodings]) -> Verification:
    """Figures over pairs; encodings: `(length,)`, of length 1, of the photos that have one.

    Raises BadSettings if none of the pairs of a kind has both encodings.
    """
    distance = np.array([_distance(pair, encodings) for pair in pairs])
    same = np.array([pair.same for pair in pairs])
    decided = np.isfinite(distance)
    if not (decided & same).any() or not (decided & ~same).any():
        raise BadSettings(
            "no face was found in both photos of any pair of one person, or of any of two; "
            "name photos of faces"
        )
    fold = _folds(pairs)
    thresholds = {
        f: _best(distance[(fold != f) & decided], same[(fold != f) & decided])
        for f in np.unique(fold)
    }
    limit = np.array([thresholds[f] for f in fold])
    right = decided & ((distance < limit) == same)
    accuracies = [np.mean(right[fold == f]) for f in thresholds]
    judged = decided | same
    return Verification(
        accuracy=float(np.mean(accuracies)),
        deviation=float(np.std(accuracies)),
        threshold=float(np.mean(list(thresholds.values()))),
        auc=area_under_curve(distance[judged], same[judged]),
        eer=equal_error_rate(distance[judged], same[judged]),
        tar={far: accepted_at(far, distance[judged], same[judged]) for far in FARS},
        pairs=len(pairs),
        undecided=int(np.sum(~decided)),
    )


def _distance(pair: Pair, encodings: Mapping[Path, Encodings]) -> float:
    """Infinite where one has no encoding."""
    if pair.first not in encodings or pair.second not in encodings:
        return np.inf
    return float(np.linalg.norm(encodings[pair.first] - encodings[pair.second]))


def _folds(pairs: list[Pair]) -> NDArray[np.int_]:
    """Each pair's fold; of a single fold its part, the pairs of each kind dealt in turn."""
    fold = np.array([pair.fold for pair in pairs])
    if len(np.unique(fold)) > 1:
        return fold
    same = np.array([pair.same for pair in pairs])
    turn = np.where(same, np.cumsum(same), np.cumsum(~same)) - 1
    return np.asarray(turn % PARTS)


def _best(distance: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """The threshold that decides most pairs rightly; 0 without pairs."""
    if not len(distance):
        return 0.0
    order = np.argsort(distance)
    wrong = np.sum(same) + np.cumsum(np.where(same[order], -1, 1))
    at = int(np.argmin(wrong))
    beyond = distance[order[min(at + 1, len(order) - 1)]]
    return float((distance[order[at]] + beyond) / 2)
