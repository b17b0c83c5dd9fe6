"""Do a person's photos show one person, and nobody else who is enrolled?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facetrail.wire import Encoder, Encodings
from index.known_people import Similar

#: How far apart two photos of one person may be, in thresholds: about one pair of a hundred on
#: LFW is farther (docs/enrolment.md). A threshold itself is for many people to be told apart by.
FACTORS = {
    "retail0095": 1.1,
    "dlib_resnet": 1.25,
    "combined": 1.1,
    "mobilefacenet": 1.1,
    "nn4_small2": 1.25,
}
OTHER_FACTOR = 1.2

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a photo may not be the person's.

    value, limit: Euclidean distances of unit encodings, 0 to 2. own: to this person's own nearest
    photo. other: who looks like it.
    """

    reason: Literal["looks_like_other_person", "inconsistent_with_other_photos"]
    value: float
    limit: float
    own: float
    other: Similar | None = None


def farthest(encoder: Encoder) -> float:
    """How far a photo may be from the nearest other one of its person.

    Of the encoder's own threshold: a calibrated one says how many people there are, and not how
    much photos of one differ.
    """
    name = encoder.id.partition("@")[0].removesuffix("+mirrored")
    return encoder.threshold * FACTORS.get(name, OTHER_FACTOR)


def doubts(
    given: Encodings,
    enrolled: Encodings,
    others: Sequence[Similar | None],
    *,
    limit: float,
) -> list[Doubt | None]:
    """What is to be said against each of n photos of one person.

    given: `(n, 128)`. enrolled: `(k, 128)`, the photos of theirs from before. others: somebody else
    who looks like each of those given. limit: see `farthest`. Without any other photo of theirs
    nothing is said.
    """
    distances = _distances(np.concatenate([given, enrolled]))
    kept = np.ones(len(distances), np.bool_)
    found: list[Doubt | None] = [None] * len(given)
    group = _group(distances, kept, len(enrolled), limit)
    for place, other in enumerate(others):
        own = _own_distance(distances[place], kept, group)
        if other is not None and np.isfinite(own) and other.distance < own:
            found[place] = Doubt(
                "looks_like_other_person", other.distance, other.threshold, own, other
            )
    kept[: len(given)] = [doubt is None for doubt in found]
    group = _group(distances, kept, len(enrolled), limit)
    for place in np.flatnonzero(kept[: len(given)] & ~group[: len(given)]).tolist():
        own = _own_distance(distances[place], kept, group)
        found[place] = Doubt("inconsistent_with_other_photos", own, limit, own)
    return found


def _distances(photos: Encodings) -> Encodings:
    """`(m, m)` between m photos; infinite from each to itself."""
    squared = 2 - 2 * np.clip(photos @ photos.T, -1, 1)
    distances = np.sqrt(squared)
    np.fill_diagonal(distances, np.inf)
    return np.asarray(distances, np.float32)


def _group(distances: Encodings, kept: Mask, enrolled: int, limit: float) -> Mask:
    """Those linked to the photos enrolled before, or the largest group; the first of equals."""
    near = (distances <= limit) & kept[:, None] & kept
    if enrolled:
        before = np.zeros_like(kept)
        before[-enrolled:] = True
        return _linked(near, before)
    groups: list[Mask] = []
    left = kept.copy()
    while left.any():
        seed = np.zeros_like(kept)
        seed[np.argmax(left)] = True
        groups.append(_linked(near, seed))
        left &= ~groups[-1]
    return max(groups, key=np.count_nonzero, default=~kept & kept)


def _linked(near: Mask, start: Mask) -> Mask:
    """Those that are near to one of these, or to one that is."""
    while True:
        reached = start | near[start].any(axis=0)
        if np.array_equal(reached, start):
            return reached
        start = reached


def _own_distance(distances: NDArray[np.float32], kept: Mask, group: Mask) -> float:
    """To the nearest other photo of the group, or of all where it has no other; or infinite."""
    within = np.where(group, distances, np.inf).min()
    return float(within if np.isfinite(within) else np.where(kept, distances, np.inf).min())
