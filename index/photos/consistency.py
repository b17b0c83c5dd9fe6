"""Do a person's photos show one person, and nobody else who is enrolled?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facetrail.wire import Encoder, Encodings
from index.photos.known_people import Similar

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
#: By how much nearer to somebody else a photo must be, in thresholds. Among thousands of people
#: somebody is often a little nearer than another photo of one's own (docs/enrolment.md).
LEAD = 0.2
#: Photos whose distances to all others are held at once: all to all would take 4 bytes a pair.
BLOCK = 256

Mask = NDArray[np.bool_]
Places = NDArray[np.intp]
Distances = NDArray[np.float32]


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
    photos = np.concatenate([given, enrolled])
    kept = np.ones(len(photos), np.bool_)
    found = _nearer_to_others(photos, kept, _group(photos, kept, len(enrolled), limit), others)
    kept[: len(given)] = [doubt is None for doubt in found]
    group = _group(photos, kept, len(enrolled), limit)
    places = np.flatnonzero((kept & ~group)[: len(given)])
    owns = _own_distances(photos, places, kept, group)
    for place, own in zip(places.tolist(), owns.tolist(), strict=True):
        found[place] = Doubt("inconsistent_with_other_photos", own, limit, own)
    return found


def _nearer_to_others(
    photos: Encodings, kept: Mask, group: Mask, others: Sequence[Similar | None]
) -> list[Doubt | None]:
    alike = [(place, other) for place, other in enumerate(others) if other is not None]
    owns = _own_distances(photos, np.array([place for place, _ in alike], np.intp), kept, group)
    found: list[Doubt | None] = [None] * len(others)
    for (place, other), own in zip(alike, owns.tolist(), strict=True):
        if np.isfinite(own) and other.distance + LEAD * other.threshold < own:
            found[place] = Doubt(
                "looks_like_other_person", other.distance, other.threshold, own, other
            )
    return found


def _distances(photos: Encodings, places: Places) -> Iterator[tuple[Places, Encodings]]:
    """From those of m photos that lie at these places to all: `(BLOCK, m)` or fewer at a time.

    With each block the places of its rows. Infinite from each photo to itself.
    """
    for start in range(0, len(places), BLOCK):
        part = places[start : start + BLOCK]
        squared = 2 - 2 * np.clip(photos[part] @ photos.T, -1, 1)
        distances = np.asarray(np.sqrt(squared), np.float32)
        distances[np.arange(len(part)), part] = np.inf
        yield part, distances


def _group(photos: Encodings, kept: Mask, enrolled: int, limit: float) -> Mask:
    """Those linked to the photos enrolled before, or the largest group; the first of equals."""
    if enrolled:
        before = np.zeros_like(kept)
        before[-enrolled:] = True
        return _linked(photos, kept, before, limit)
    largest, left = np.zeros_like(kept), kept.copy()
    while np.count_nonzero(left) > np.count_nonzero(largest):
        seed = np.zeros_like(kept)
        seed[np.argmax(left)] = True
        group = _linked(photos, left, seed, limit)
        left &= ~group
        largest = max(largest, group, key=np.count_nonzero)
    return largest


def _linked(photos: Encodings, kept: Mask, start: Mask, limit: float) -> Mask:
    """Those kept that are near to one of these, or to one that is."""
    reached = new = start
    while new.any():
        near = np.zeros_like(start)
        for _, distances in _distances(photos, np.flatnonzero(new)):
            near |= (distances <= limit).any(axis=0)
        new = near & kept & ~reached
        reached = reached | new
    return reached


def _own_distances(photos: Encodings, places: Places, kept: Mask, group: Mask) -> Distances:
    """From the photo at each place to the nearest other of the group; or, where the group has no
    other, of all; or infinite."""
    found = np.full(len(photos), np.inf, np.float32)
    for part, distances in _distances(photos, places):
        within = np.where(group, distances, np.inf).min(axis=1)
        among_all = np.where(kept, distances, np.inf).min(axis=1)
        found[part] = np.where(np.isfinite(within), within, among_all)
    return found[places]
