"""Open-set rates, on encodings on a circle that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from facetrail.wire import Encodings
from training.identification import (
    Draw,
    Lookup,
    draw,
    look_up,
    rates,
    rates_at,
    rates_of,
    threshold_for,
)


def at(*degrees: float) -> Encodings:
    """Encodings `(n, 128)` at angles to the first axis."""
    found = np.zeros((len(degrees), 128), np.float32)
    angles = np.deg2rad(np.array(degrees))
    found[:, 0], found[:, 1] = np.cos(angles), np.sin(angles)
    return found


def apart(degrees: float) -> float:
    """The Euclidean distance of unit vectors at an angle."""
    return float(2 * np.sin(np.deg2rad(degrees / 2)))


def lookup(distance: list[float], lead: list[float], person: int = 0) -> Lookup:
    return Lookup(
        np.full(len(distance), person), np.array(distance, np.float32), np.array(lead, np.float32)
    )


def test_the_nearest_photo_of_a_person_counts() -> None:
    found = look_up(at(10, 85, 60), [at(0, 50), at(90), at(180)])
    assert found.person.tolist() == [0, 1, 0]
    assert found.distance == pytest.approx([apart(10), apart(5), apart(10)], abs=1e-4)
    lead = [apart(80) - apart(10), apart(35) - apart(5), apart(30) - apart(10)]
    assert found.lead == pytest.approx(lead, abs=1e-4)


def test_a_face_is_known_if_near_enough_far_enough_ahead_and_right() -> None:
    known = lookup([0.5, 0.9, 1.1, 0.5], [0.3, 0.3, 0.3, 0.01])
    strangers = lookup([0.9, 1.2, 0.8, 1.3], [0.3, 0.3, 0.01, 0.3])
    found = rates(known, np.array([0, 0, 0, 0]), strangers, threshold=1.0, margin=0.05)
    assert (found.fpir, found.fnir) == (0.25, 0.5)
    assert rates(known, np.array([0, 1, 0, 0]), strangers, threshold=1.0, margin=0.0).fnir == 0.5


@pytest.mark.parametrize(
    ("fpir", "margin", "expected"), [(0.0, 0, 1.0), (0.2, 0, 1.2), (0.2, 0.1, 1.4), (1, 0, 2.0)]
)
def test_the_threshold_lets_no_more_strangers_through(
    fpir: float, margin: float, expected: float
) -> None:
    # Given strangers at 1.0 to 1.9, every second with no lead
    strangers = lookup([1 + i / 10 for i in range(10)], [0.2, 0.0] * 5)

    found = threshold_for(fpir, strangers, margin=margin)

    # I expect a threshold just below the first stranger who is too many
    assert found == pytest.approx(expected, abs=1e-5)
    none = lookup([0.1], [1.0])
    assert rates(none, np.array([0]), strangers, threshold=found, margin=margin).fpir <= fpir


def test_a_draw_enrols_some_photos_and_looks_all_others_up() -> None:
    # Given two people whose photos are far apart, and a stranger nearer to the second
    people = [at(0, 1, 2, 3), at(90, 91, 92)]
    found = draw(people, at(60), 2, seed=0)

    # I expect every photo that is not enrolled to find its own person
    assert found.truth.tolist() == [0, 0, 1]
    assert (found.known.person == found.truth).all()
    assert found.strangers.person.tolist() == [1]
    assert (found.known.distance > 0).all() and (found.known.distance <= apart(3) + 1e-3).all()

    # and the same choice again by the same seed
    again = draw(people, at(60), 2, seed=0)
    assert (again.known.distance == found.known.distance).all()


def test_rates_are_means_over_draws() -> None:
    # Given two draws whose strangers lie at 1.0 to 1.9 and at 1.2 to 2.1
    far = [
        Draw(
            lookup([0.5, reach], [1.0, 1.0]),
            np.array([0, 0]),
            lookup([start + i / 10 for i in range(10)], [1.0] * 10),
        )
        for start, reach in ((1.0, 1.05), (1.2, 1.5))
    ]

    # If one stranger of ten may get a name
    found = rates_at(0.1, far, margin=0)

    # I expect the threshold of each draw, just below its second stranger, to decide
    assert found.threshold == pytest.approx((1.1 + 1.3) / 2, abs=1e-5)
    assert (found.fpir, found.fnir) == (pytest.approx(0.1), pytest.approx((0 + 0.5) / 2))

    # and a threshold given to decide in all of them
    found = rates_of(far, threshold=1.25, margin=0)
    assert (found.fpir, found.fnir) == (pytest.approx((0.3 + 0.1) / 2), pytest.approx(0.25))
