"""What the limits of enrolment are measured by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.enrolment_limits import (
    AgainstAll,
    among_several,
    distances,
    nearest_others,
    refused_by,
)
from facetrail.wire import Encodings, Quality
from index.photos.photo_limits import PhotoLimits
from training.lfw import Pair


def at(*degrees: float) -> Encodings:
    """Float32 `(n, 128)`: points on a circle."""
    rows = np.zeros((len(degrees), 128), np.float32)
    rows[:, 0], rows[:, 1] = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return rows


def test_each_limit_is_counted_by_itself() -> None:
    qualities = [
        Quality(height=height, sharpness=sharpness, yaw=yaw, score=1)
        for height, sharpness, yaw in ((20, 10, 1), (100, 10, 0.1), (100, 300, 0.1))
    ]
    refused = refused_by(PhotoLimits(40, min_sharpness=30, max_yaw=0.9), qualities)
    assert refused == {"too_small": 1, "blurred": 2, "turned_away": 1}


def test_pairs_of_a_kind_are_measured_where_both_have_a_face() -> None:
    one, two, three = (Path(name) for name in "123")
    pairs = [Pair(0, one, two, True), Pair(0, one, three, False), Pair(0, two, Path("4"), True)]
    encodings = dict(zip((one, two, three), at(0, 60, 180), strict=True))
    assert distances(pairs, encodings, same=True) == pytest.approx([1.0])
    assert distances(pairs, encodings, same=False) == pytest.approx([2.0])


def test_photos_are_held_against_several_of_their_person_and_of_another() -> None:
    people = [at(*range(0, 6)), at(*range(90, 96)), at(200, 201)]
    own, others = among_several(people, np.random.default_rng(0))
    assert (len(own), len(others)) == (4, 4)
    assert own.max() < 0.1 < 1.2 < others.min()


def test_with_everyone_enrolled_confusions_are_counted() -> None:
    # Given somebody whose second photo is another's, and two who look alike
    people = [at(0, 90), at(90), at(92), at(200, 201)]
    assert (nearest_others(people) <= 0.1).tolist() == [False, True, True, False]
    assert AgainstAll(people, threshold=0.1, limit=2.0).refused(lead=0) == (0.5, 0.5, 0.5)
    assert AgainstAll(people, threshold=0.1, limit=0.01).refused(lead=0) == (1, 0.5, 0.5)


def test_a_photo_that_is_nearer_to_somebody_else_counts_by_how_much() -> None:
    # Given a second photo 4 degrees from its own, and 2 from somebody else's
    against = AgainstAll([at(0, 4), at(6), at(180)], threshold=0.1, limit=0.5)
    assert [against.refused(lead)[0] for lead in (0.0, 0.3, 0.4)] == [1, 1, 0]
