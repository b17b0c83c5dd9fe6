"""Rounds of open-set identification, on encodings drawn around each person."""

from __future__ import annotations

import numpy as np
import pytest

from facetrail.errors import BadSettings
from facetrail.wire import Encodings
from training.candidates import Candidate
from training.open_set import FPIRS, OpenSetProtocol, evaluated, too_few_photos
from training.pixels import Pixels


def around(people: int, photos: int, spread: float, seed: int) -> list[Encodings]:
    """Unit encodings `(photos, 128)` of each person, about a middle of their own."""
    random = np.random.default_rng(seed)
    middles = random.normal(size=(people, 1, 128))
    rows = middles + spread * random.normal(size=(people, photos, 128))
    return list((rows / np.linalg.norm(rows, axis=2, keepdims=True)).astype(np.float32))


def test_more_photos_and_looser_thresholds_miss_fewer_people() -> None:
    # Given six people, one of whom has two photos only, and 400 strangers
    people = around(6, 8, spread=1.8, seed=1)
    people[0] = people[0][:2]
    strangers = np.concatenate(around(400, 1, spread=0, seed=2))
    candidate = Candidate("any", Pixels(), threshold=1.1, margin=0.05)

    row, draws = evaluated(candidate, people, strangers, OpenSetProtocol([1, 4], draws=5))

    # I expect a round for each number of photos, without those who have no more
    assert [(r.photos, r.people, r.probes) for r in row.rounds] == [(1, 6, 36), (4, 5, 20)]
    assert (row.encoder, row.strangers, [len(d) for d in draws]) == ("any", 400, [5, 5])

    # each at the wanted rates or below, and fewer missed with more of either
    for one in row.rounds:
        assert [point.wanted for point in one.at] == list(FPIRS)
        assert all(point.fpir <= point.wanted for point in one.at)
        fnirs = [point.fnir for point in one.at]
        assert 0 < fnirs[0] and fnirs == sorted(fnirs, reverse=True)
        assert one.shipped is not None
        assert (one.shipped.threshold, one.shipped.margin) == (1.1, 0.05)
    assert row.rounds[1].at[0].fnir < row.rounds[0].at[0].fnir


def test_a_baseline_without_a_threshold_has_no_shipped_rates() -> None:
    people, strangers = around(2, 3, spread=0.1, seed=0), around(1, 5, spread=1, seed=1)[0]
    row, _ = evaluated(
        Candidate("pixels", Pixels()), people, strangers, OpenSetProtocol([1], draws=1)
    )
    assert row.rounds[0].shipped is None
    assert row.rounds[0].at[0].fnir == 0


def test_people_with_too_few_photos_are_named_and_one_alone_is_refused() -> None:
    assert too_few_photos({"Ada": [1, 2], "Ben": [1, 2, 3], "Cleo": [1]}, 1) == ["Cleo"]
    with pytest.raises(BadSettings, match="1 of 3 people have more than 2 photos with a face"):
        too_few_photos({"Ada": [1, 2], "Ben": [1, 2, 3], "Cleo": [1]}, 2)
    with pytest.raises(BadSettings, match="0 of 2 people have more than 1 photos"):
        too_few_photos({"Ada": [1], "Ben": [1]}, 1)
