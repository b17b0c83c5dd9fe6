"""The threshold for a wanted FPIR, on encodings that can be checked by hand, and its bounds."""

from __future__ import annotations

import numpy as np
import pytest

from facetrail.errors import GalleryError
from facetrail.wire import Encodings
from training.calibration import (
    OperatingPoint,
    calibrated,
    fnir_at,
    fpir_at,
    threshold_at,
)
from training.identification import Lookup, threshold_for
from training.trials import Trials, trials_of

OWN = OperatingPoint(1.0, 0.04)


def unit(rows: Encodings) -> Encodings:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def people(count: int, photos: int, seed: int, *, spread: float = 0.02) -> list[Encodings]:
    """Encodings in six dimensions, so that some people come near each other."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        rows = np.zeros((photos, 128), np.float32)
        rows[:, :6] = unit(random.normal(size=(1, 6))) + spread * random.normal(size=(photos, 6))
        made.append(unit(rows))
    return made


def strangers_at(distance: list[float], lead: list[float]) -> Trials:
    count = len(distance)
    found = Lookup(np.zeros(count, int), np.array(distance, np.float32), np.array(lead, np.float32))
    return Trials(found, np.full(count, -1), np.full(count, 1 / count), count)


@pytest.mark.parametrize("margin", [0.0, 0.1])
@pytest.mark.parametrize("fpir", [0.05, 0.1, 0.25])
def test_the_threshold_is_the_one_of_unweighted_strangers_where_each_has_one_photo(
    fpir: float, margin: float
) -> None:
    random = np.random.default_rng(0)
    strangers = strangers_at(list(random.uniform(0.2, 1.4, 40)), list(random.uniform(0, 0.2, 40)))
    expected = threshold_for(fpir, strangers.found, margin=margin)
    found = threshold_at(margin, fpir, strangers)
    assert found == pytest.approx(expected, abs=1.1e-4) and found <= expected
    assert fpir_at(OperatingPoint(found, margin), strangers) <= fpir + 1e-9


def test_where_the_margin_alone_holds_strangers_off_no_unseen_distance_is_let_in() -> None:
    strangers = strangers_at([0.5, 0.7, 0.9], [0.01, 0.01, 0.01])
    assert threshold_at(0.1, 0.01, strangers) == pytest.approx(0.9, abs=1e-4)


def test_strangers_move_the_threshold_and_their_rate_is_as_wanted() -> None:
    enrolled, strangers = people(20, 3, seed=1), people(400, 1, seed=2)
    found = calibrated(enrolled, strangers, fpir=0.05, own=OWN)
    assert found.enough and found.needed == 60
    assert 0.03 < found.fpir.rate <= 0.05
    assert found.fpir.low < found.fpir.rate < found.fpir.high
    assert (found.trials, found.known) == (460, 60)
    assert found.point.threshold == round(found.point.threshold, 4)
    assert found.fnir is not None and found.fnir.rate == 0


def test_too_few_strangers_can_only_lower_the_threshold() -> None:
    # Given ten people, who come to five trials, far apart or near each other
    enrolled = people(10, 2, seed=3)

    far = calibrated(enrolled, [], fpir=0.01, own=OperatingPoint(0.05, 0.02))
    near = calibrated(enrolled, [], fpir=0.01, own=OperatingPoint(1.9, 0.02))

    assert not far.enough and (far.independent, far.needed, far.supported) == (5, 300, 0.6)
    assert far.point == OperatingPoint(0.05, 0.02)
    assert near.point.threshold < 1.9 and near.fpir.rate == 0
    assert near.fpir.high == pytest.approx(1 - 0.025 ** (1 / 5), abs=1e-6)


def test_without_a_second_photo_there_is_no_fnir_and_the_encoders_margin_stays() -> None:
    found = calibrated(people(200, 1, seed=4), [], fpir=0.05, own=OWN)
    assert found.enough and found.fnir is None and found.known == 0
    assert found.point.margin == OWN.margin


def test_another_margin_is_taken_only_if_it_knows_clearly_more_people() -> None:
    # Given twins in the gallery, whose photos lead each other by less than the margin
    twins = [pair for seed in range(40) for pair in _twins(seed)]
    found = calibrated(twins, people(200, 1, seed=5), fpir=0.05, own=OperatingPoint(1.0, 0.2))
    assert found.point.margin < 0.2
    unknown, known = trials_of(twins, people(200, 1, seed=5))
    kept = OperatingPoint(threshold_at(0.2, 0.05, unknown), 0.2)
    assert fnir_at(found.point, known) < fnir_at(kept, known) - 0.05

    # and none where it changes nothing
    apart = calibrated(people(20, 3, seed=1), people(400, 1, seed=2), fpir=0.05, own=OWN)
    assert apart.point.margin == OWN.margin


def _twins(seed: int) -> list[Encodings]:
    random = np.random.default_rng(1000 + seed)
    middle = np.zeros(128, np.float32)
    middle[6 + seed] = 1
    made = []
    for side in (0.06, -0.06):
        rows = np.repeat(middle[None], 3, axis=0)
        rows[:, 60 + seed] += side
        rows[:, :6] += 0.005 * random.normal(size=(3, 6))
        made.append(unit(rows))
    return made


def test_the_stranger_who_may_be_enrolled_is_named() -> None:
    enrolled = people(5, 2, seed=6)
    found = calibrated(enrolled, [enrolled[3][:1]], fpir=0.2, own=OWN)
    assert (found.closest.probe, found.closest.person) == (10, 3)
    assert found.closest.distance == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_people_are_refused(count: int) -> None:
    with pytest.raises(GalleryError, match=f"at least two people enrolled, there are {count}"):
        calibrated(people(count, 3, seed=7), people(9, 1, seed=8), fpir=0.1, own=OWN)


def test_people_with_one_encoding_are_refused() -> None:
    (one,) = people(1, 1, seed=9)
    with pytest.raises(GalleryError, match="no threshold has an FPIR of 0.01"):
        calibrated([one, one], [], fpir=0.01, own=OWN)


@pytest.mark.parametrize(("enrolled", "strangers"), [(40, 0), (5, 40)])
def test_the_bounds_hold_the_rate_of_strangers_to_come(enrolled: int, strangers: int) -> None:
    # Given many galleries, each calibrated by itself
    missed, draws = 0, 20
    for seed in range(draws):
        gallery = people(enrolled, 1, seed=10 * seed)
        found = calibrated(gallery, people(strangers, 1, seed=10 * seed + 1), fpir=0.1, own=OWN)
        # If others come by
        later, _ = trials_of(gallery, people(200, 1, seed=10 * seed + 2))
        point = OperatingPoint(found.point.threshold, found.point.margin)
        near = later.found.distance[-200:] <= point.threshold
        rate = float(np.mean(near & (later.found.lead[-200:] >= point.margin)))
        missed += not found.fpir.low <= rate <= found.fpir.high
    # I expect about one in twenty of the true rates outside the bounds, and rarely many more
    assert missed <= 4
