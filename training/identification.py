"""Open-set identification: some people are enrolled, others come by.

ISO/IEC 19795-1's terms, as NIST reports them (FRVT 1:N, NISTIR 8271): FPIR is the share of
strangers who get a name, FNIR the share of enrolled people's photos that do not get the right
one, whether by a threshold too low or by somebody else who is nearer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facetrail.wire import Encodings


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """Each of n probes' nearest person, how far they are and by how much they lead."""

    person: NDArray[np.int_]
    distance: NDArray[np.float32]
    lead: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Rates:
    """What comes of a threshold and a margin."""

    threshold: float
    fpir: float
    fnir: float


def look_up(probes: Encodings, enrolled: Sequence[Encodings]) -> Lookup:
    """Looks `(n, 128)` up among people's `(k, 128)`, of whom there are at least two."""
    distances = np.stack([_nearest(probes, photos) for photos in enrolled], axis=1)  # (n, people)
    order = np.argsort(distances, axis=1)
    nearest, runner_up = (np.take_along_axis(distances, order[:, [i]], 1)[:, 0] for i in (0, 1))
    return Lookup(order[:, 0], nearest, runner_up - nearest)


def _nearest(probes: Encodings, photos: Encodings) -> NDArray[np.float32]:
    """Euclidean distance of each probe to the nearest of a person's photos."""
    similarity = np.max(probes @ photos.T, axis=1)
    return np.asarray(np.sqrt(np.maximum(0, 2 - 2 * similarity)), np.float32)


def rates(
    known: Lookup, truth: NDArray[np.int_], strangers: Lookup, *, threshold: float, margin: float
) -> Rates:
    """truth: who the n known probes are, as places among the enrolled."""
    named, wrongly = (_named(found, threshold, margin) for found in (known, strangers))
    right = named & (known.person == truth)
    return Rates(threshold, float(np.mean(wrongly)), float(1 - np.mean(right)))


def threshold_for(fpir: float, strangers: Lookup, *, margin: float) -> float:
    """The largest distance at which no more than that share of strangers is named.

    It is 2, the largest there is, where the margin alone holds them off.
    """
    named = np.sort(strangers.distance[strangers.lead >= margin])
    most = int(fpir * len(strangers.distance))
    return float(np.nextafter(named[most], np.float32(0))) if most < len(named) else 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """Some photos of each person are enrolled; all their others and strangers are looked up.

    truth: who the n known probes are, as places among the enrolled.
    """

    known: Lookup
    truth: NDArray[np.int_]
    strangers: Lookup


def draw(people: Sequence[Encodings], strangers: Encodings, photos: int, seed: int) -> Draw:
    """Enrols that many photos of each person, by chance.

    people: at least two, `(k, length)` each, k greater than photos.
    """
    random = np.random.default_rng(seed)
    shuffled = [rows[random.permutation(len(rows))] for rows in people]
    enrolled, probes = [rows[:photos] for rows in shuffled], [rows[photos:] for rows in shuffled]
    truth = np.repeat(np.arange(len(probes)), [len(rows) for rows in probes])
    return Draw(look_up(np.concatenate(probes), enrolled), truth, look_up(strangers, enrolled))


def rates_of(draws: Sequence[Draw], *, threshold: float, margin: float) -> Rates:
    """The mean over draws."""
    return _mean(
        [rates(d.known, d.truth, d.strangers, threshold=threshold, margin=margin) for d in draws]
    )


def rates_at(fpir: float, draws: Sequence[Draw], *, margin: float) -> Rates:
    """The mean over draws, each at the threshold that keeps to that FPIR."""
    thresholds = [threshold_for(fpir, d.strangers, margin=margin) for d in draws]
    return _mean(
        [
            rates(d.known, d.truth, d.strangers, threshold=threshold, margin=margin)
            for d, threshold in zip(draws, thresholds, strict=True)
        ]
    )


def _mean(found: Sequence[Rates]) -> Rates:
    mean = np.mean([(one.threshold, one.fpir, one.fnir) for one in found], axis=0)
    return Rates(*mean.tolist())


def _named(found: Lookup, threshold: float, margin: float) -> NDArray[np.bool_]:
    """As `workers.recognise.judge` decides."""
    return np.asarray((found.distance <= threshold) & (found.lead >= margin))
