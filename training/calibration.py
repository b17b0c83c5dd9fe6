"""The threshold and margin for a wanted FPIR, from a gallery, and how sure that rate is.

The threshold is the largest at which no more than the wanted share of strangers is named. It
is an order statistic of their distances, so the exact bounds at it hold although the same
strangers chose it (Wilks 1941). A stranger is a person: photos of one count as one together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facetrail.errors import GalleryError
from facetrail.wire import Encodings
from training.intervals import Estimate, clopper_pearson, needed_trials, supported_rate
from training.trials import Trials, trials_of

#: Margins that are tried, in parts of the encoder's own.
MARGINS = (0.0, 0.5, 1.0, 2.0)
#: A threshold is cut to so many parts of 1, so that what is printed is what holds.
PARTS = 10_000
#: A threshold below this names nobody: two photos of one person are farther apart.
LEAST_THRESHOLD = 0.01


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A face is named up to the threshold, if the runner-up is farther by the margin."""

    threshold: float
    margin: float


@dataclass(frozen=True, slots=True)
class Closest:
    """The stranger nearest to somebody enrolled, who may be them.

    probe: a place among all photos, the gallery's first. person: a place in the gallery.
    """

    probe: int
    person: int
    distance: float


@dataclass(frozen=True, slots=True)
class Finding:
    """What a calibration comes to.

    trials: photos of strangers. independent: the trials they come to, of which a rate like the
    wanted one needs `needed`; `supported` is the least rate they do for. known: photos that
    have another one of their person; without any there is no FNIR.
    """

    point: OperatingPoint
    fpir: Estimate
    fnir: Estimate | None
    trials: int
    independent: float
    needed: int
    supported: float
    known: int
    closest: Closest

    @property
    def enough(self) -> bool:
        return self.independent >= self.needed


def calibrated(
    enrolled: Sequence[Encodings],
    strangers: Sequence[Encodings],
    *,
    fpir: float,
    own: OperatingPoint,
) -> Finding:
    """The operating point for a wanted FPIR, above 0 and below 1.

    enrolled, strangers: float32 `(k, 128)` for each person. own: the encoder's. Where there are
    too few trials for the rate, its margin stays and its threshold is not exceeded. Raises
    GalleryError with fewer than two people enrolled, or where no threshold is low enough.
    """
    if len(enrolled) < 2:
        raise GalleryError(
            f"a calibration needs at least two people enrolled, there are {len(enrolled)}: "
            "enrol more with `facetrail enroll`"
        )
    unknown, known = trials_of(enrolled, strangers)
    needed = needed_trials(fpir)
    point = _chosen(unknown, known, fpir, own, enough=unknown.independent >= needed)
    if point.threshold < LEAST_THRESHOLD:
        raise GalleryError(
            f"no threshold has an FPIR of {fpir:g}: photos of different people have the same "
            "encoding; see who is enrolled twice, or is among the strangers as well"
        )
    return Finding(
        point=point,
        fpir=_estimate(fpir_at(point, unknown), unknown),
        fnir=_estimate(fnir_at(point, known), known) if len(known) else None,
        trials=len(unknown),
        independent=unknown.independent,
        needed=needed,
        supported=supported_rate(unknown.independent),
        known=len(known),
        closest=_closest(unknown),
    )


def _chosen(
    unknown: Trials, known: Trials, fpir: float, own: OperatingPoint, *, enough: bool
) -> OperatingPoint:
    """The encoder's margin, unless another has an FNIR lower by more than a standard error."""
    at_own = OperatingPoint(threshold_at(own.margin, fpir, unknown), own.margin)
    if not enough:
        return OperatingPoint(min(at_own.threshold, own.threshold), own.margin)
    if not len(known):
        return at_own
    margins = [part * own.margin for part in MARGINS]
    points = [OperatingPoint(threshold_at(margin, fpir, unknown), margin) for margin in margins]
    best = min(points, key=lambda point: fnir_at(point, known))
    kept, lowest = fnir_at(at_own, known), fnir_at(best, known)
    # Breiman et al. 1984: what is better by less is no reason to change.
    error = math.sqrt(kept * (1 - kept) / known.independent)
    return best if lowest < kept - error else at_own


def threshold_at(margin: float, fpir: float, strangers: Trials) -> float:
    """The largest distance at which no more than that share of strangers is named.

    Where the margin alone holds them off it is the largest distance there was.
    """
    order = np.argsort(strangers.found.distance, kind="stable")
    ahead = strangers.found.lead[order] >= margin
    named = np.cumsum(strangers.weight[order] * ahead)
    distances = strangers.found.distance[order]
    too_many = np.flatnonzero(named > fpir + 1e-9)
    if not len(too_many):
        return _cut(float(distances[-1]))
    return _cut(float(np.nextafter(distances[too_many[0]], np.float32(0))))


def _cut(threshold: float) -> float:
    return math.floor(threshold * PARTS) / PARTS


def fpir_at(point: OperatingPoint, strangers: Trials) -> float:
    """The share of strangers who get a name."""
    return float(strangers.weight @ _named(strangers, point))


def fnir_at(point: OperatingPoint, known: Trials) -> float:
    """The share of enrolled people's photos that do not get theirs."""
    right = _named(known, point) & (known.found.person == known.truth)
    return float(known.weight @ ~right)


def _named(trials: Trials, point: OperatingPoint) -> NDArray[np.bool_]:
    """As `workers.recognise.judge` decides."""
    near = trials.found.distance <= point.threshold
    return np.asarray(near & (trials.found.lead >= point.margin))


def _estimate(rate: float, trials: Trials) -> Estimate:
    return clopper_pearson(rate, trials.independent)


def _closest(strangers: Trials) -> Closest:
    probe = int(np.argmin(strangers.found.distance))
    person = int(strangers.found.person[probe])
    return Closest(probe, person, float(strangers.found.distance[probe]))
