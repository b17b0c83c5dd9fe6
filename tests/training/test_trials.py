"""A gallery searched for its own photos, against searches one by one."""

from __future__ import annotations

import numpy as np
import pytest

import training.trials
from facetrail.wire import Encodings
from training.identification import look_up
from training.trials import trials_of


def unit(count: int, seed: int) -> Encodings:
    rows = np.random.default_rng(seed).normal(size=(count, 128))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


ENROLLED = [unit(count, count) for count in (3, 1, 2, 5)]
STRANGERS = [unit(count, 10 + count) for count in (1, 4)]


@pytest.mark.parametrize("block", [2, 1024])
def test_each_photo_is_searched_for_without_its_person_and_without_itself(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.trials, "BLOCK", block)
    unknown, known = trials_of(ENROLLED, STRANGERS)

    # I expect what a search in a gallery without that person, or that photo, finds
    probe = mated = 0
    for person, photos in enumerate(ENROLLED):
        others = [rows for i, rows in enumerate(ENROLLED) if i != person]
        for i, photo in enumerate(photos):
            alone = look_up(photo[None], others)
            assert unknown.found.distance[probe] == pytest.approx(alone.distance[0], abs=1e-5)
            assert unknown.found.lead[probe] == pytest.approx(alone.lead[0], abs=1e-5)
            probe += 1
            if len(photos) > 1:
                rest = [np.delete(photos, i, 0) if j == person else ENROLLED[j] for j in range(4)]
                among = look_up(photo[None], rest)
                assert known.found.person[mated] == among.person[0]
                assert known.found.distance[mated] == pytest.approx(among.distance[0], abs=1e-5)
                assert known.truth[mated] == person
                mated += 1

    # and of strangers what one in the whole gallery finds
    expected = look_up(np.concatenate(STRANGERS), ENROLLED)
    assert unknown.found.person[probe:].tolist() == expected.person.tolist()
    assert unknown.found.distance[probe:] == pytest.approx(expected.distance, abs=1e-5)
    assert (len(unknown), len(known)) == (16, 10)
    assert set(unknown.truth) == {-1}


def test_each_person_counts_once_however_many_photos_they_have() -> None:
    unknown, known = trials_of(ENROLLED, STRANGERS)
    assert unknown.weight[:3].sum() == pytest.approx(1 / 6)
    assert unknown.weight[-4:].sum() == pytest.approx(1 / 6)
    assert known.weight[:3].sum() == pytest.approx(1 / 3)
    assert (unknown.weight.sum(), known.weight.sum()) == pytest.approx((1, 1))


def test_two_people_enrolled_are_one_trial_and_each_stranger_is_one() -> None:
    assert trials_of(ENROLLED, [])[0].independent == 2
    assert trials_of(ENROLLED, [])[1].independent == 3
    assert trials_of(ENROLLED, [unit(1, 100 + i) for i in range(1000)])[0].independent > 1000


def test_two_people_are_enough_and_have_no_runner_up() -> None:
    unknown, known = trials_of([unit(1, 1), unit(1, 2)], [])
    assert np.isinf(unknown.found.lead).all()
    assert len(known) == 0
