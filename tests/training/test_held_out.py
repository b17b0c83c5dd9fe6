"""The people kept back from training, and the pairs they are verified on."""

from __future__ import annotations

import numpy as np
import pytest

from training.held_out import PAIRS_EACH, pairs_of, split
from training.labelled import LabelledChips
from training.plan import UNNAMED

LABELS = np.repeat([0, 1, 2, 3, UNNAMED], [1, 2, 3, 30, 4])
CHIPS = np.zeros((len(LABELS), 112, 112, 3), np.uint8)


def test_each_person_has_every_pair_or_as_many_as_are_enough() -> None:
    labels = LABELS[LABELS != UNNAMED]
    pairs = pairs_of(labels, np.random.default_rng(0))
    people = [
        (labels[int(str(pair.first))], labels[int(str(pair.second))], pair.same) for pair in pairs
    ]

    same = [first for first, second, said in people if said and first == second]
    assert [same.count(person) for person in range(4)] == [0, 1, 3, PAIRS_EACH]
    others = [said for first, second, said in people if first != second]
    assert others == [False] * len(same) == [False] * (len(pairs) - len(same))

    # and no pair comes twice
    drawn = [(pair.first, pair.second) for pair in pairs if pair.same]
    assert len(set(drawn)) == len(drawn)


def test_people_kept_back_are_wholly_kept_back() -> None:
    taught, held_out = split(LabelledChips(CHIPS, LABELS), share=2 / 3, seed=1)
    assert held_out is not None
    kept = [person for person in (1, 2, 3) if person not in taught.labels]
    assert len(kept) == 2
    assert len(held_out.chips) == sum(np.sum(LABELS == person) for person in kept)
    assert {0, UNNAMED} <= set(taught.labels)


@pytest.mark.parametrize("share", [0, 0.4])
def test_fewer_than_two_people_are_not_kept_back(share: float) -> None:
    data = LabelledChips(CHIPS, LABELS)
    assert split(data, share=share, seed=1) == (data, None)
