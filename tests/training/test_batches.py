"""Each batch has P people with K photos, and faces for the teacher."""

from __future__ import annotations

import numpy as np
import pytest

from facetrail.wire import Chips, Encoder
from training.augmentation import Augmentation
from training.batches import Batches
from training.labelled import LabelledChips
from training.plan import UNNAMED, BatchSize

LABELS = np.array([0, 0, 0, 1, 1, 2, UNNAMED])


@pytest.fixture
def data() -> LabelledChips:
    chips = np.random.default_rng(1).integers(0, 255, (len(LABELS), 112, 112, 3), np.uint8)
    return LabelledChips(chips, LABELS)


def batches(
    data: LabelledChips, size: BatchSize, teacher: Encoder | None = None, passed: int = 0
) -> Batches:
    return Batches(data, size, teacher=teacher, augmentation=Augmentation(), seed=3, passed=passed)


def test_people_with_several_photos_make_the_triplets(data: LabelledChips) -> None:
    size = BatchSize(people=2, photos=4, others=3)
    for step in range(10):
        chips, targets = batches(data, size)[step]
        assert (chips.shape, chips.dtype) == ((11, 112, 112, 3), np.dtype("float32"))
        assert sorted(targets[:, 0]) == [UNNAMED] * 3 + [0] * 4 + [1] * 4


def test_a_pass_sees_as_many_chips_as_there_are(data: LabelledChips) -> None:
    assert len(batches(data, BatchSize(2, 2, 0))) == 2
    assert len(batches(data, BatchSize(2, 2, 3))) == 1


def test_where_nobody_has_two_photos_only_the_teacher_judges(data: LabelledChips) -> None:
    alone = LabelledChips(data.chips, np.arange(len(LABELS)))
    _, targets = batches(alone, BatchSize(2, 2, 3))[0]
    assert set(targets[:, 0]) == {UNNAMED}


def test_the_teacher_sees_what_the_student_sees(data: LabelledChips, encoder: Encoder) -> None:
    chips, targets = batches(data, BatchSize(2, 2, 3), encoder)[0]
    assert targets.shape == (7, 129)
    assert targets[:, 1:] == pytest.approx(encoder.encode(chips.astype(np.uint8)), abs=1e-5)


def test_a_resumed_training_sees_the_same_batches(data: LabelledChips) -> None:
    # Given the second pass of a training
    size = BatchSize(2, 2, 3)
    whole = batches(data, size)
    first = whole[0]
    whole.on_epoch_end()

    resumed = batches(data, size, passed=1)

    for found, expected in zip(resumed[0], whole[0], strict=True):
        assert np.array_equal(found, expected)
    assert not np.array_equal(first[0], resumed[0][0])


def test_whoever_has_more_photos_comes_more_often_but_not_as_much_more() -> None:
    # Given one person with 25 photos and four with 2
    labels = np.repeat(np.arange(5), [25, 2, 2, 2, 2])
    data = LabelledChips(np.zeros((33, 112, 112, 3), np.uint8), labels)
    one_person = batches(data, BatchSize(people=1, photos=2, others=0))
    drawn = [one_person._triplet_rows(np.random.default_rng(i))[0] for i in range(2000)]
    share = np.mean([row < 25 for row in drawn])
    assert share == pytest.approx(5 / (5 + 4 * 2**0.5), abs=0.05)


def test_people_with_so_many_photos(data: LabelledChips, chips: Chips) -> None:
    assert data.people_with(1).tolist() == [0, 1, 2]
    assert data.people_with(2).tolist() == [0, 1]
    assert data.people_with(4).tolist() == []
