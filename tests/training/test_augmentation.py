"""Chips are changed, and stay the same face."""

from __future__ import annotations

import numpy as np
import pytest

from facetrail.wire import Chips, Encoder
from training.augmentation import Augmentation, blended, coarse

STILL = Augmentation(turn=0, zoom=0, shift=0, contrast=0, brightness=0, grey=0, blur=0)


def test_it_is_drawn_from_its_seed(chips: Chips) -> None:
    one, again, other = (
        Augmentation().of(chips[0], np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert (one.shape, one.dtype) == ((112, 112, 3), np.dtype("uint8"))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_without_changes_a_chip_is_itself_or_its_mirror_image(chips: Chips) -> None:
    found = [STILL.of(chips[0], np.random.default_rng(seed)) for seed in range(20)]
    mirrored = [np.array_equal(one, chips[0][:, ::-1]) for one in found]
    same = [np.array_equal(one, chips[0]) for one in found]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 0 < sum(mirrored) < 20


def test_the_face_stays_the_same_person(chips: Chips, encoder: Encoder) -> None:
    drawn = [Augmentation().of(chips[0], np.random.default_rng(seed)) for seed in range(8)]
    distance = np.linalg.norm(encoder.encode(np.stack(drawn)) - encoder.encode(chips[:1]), axis=1)
    other = np.linalg.norm(encoder.encode(chips[1:2]) - encoder.encode(chips[:1]))
    assert distance.max() < other


def test_a_picture_without_colour_has_three_equal_channels(chips: Chips) -> None:
    grey = Augmentation(grey=1).of(chips[0], np.random.default_rng(1))
    assert np.array_equal(grey[..., 0], grey[..., 1])
    assert np.array_equal(grey[..., 0], grey[..., 2])


def test_a_coarse_chip_has_less_detail(chips: Chips) -> None:
    def detail(chip: Chips) -> float:
        return float(np.abs(np.diff(chip.astype(float), axis=1)).mean())

    assert detail(coarse(chips[0], 0.3)) < 0.8 * detail(chips[0])


def test_a_blend_lies_between(chips: Chips) -> None:
    found = blended(chips[0], chips[1], 0.25)
    expected = 0.25 * chips[0].astype(float) + 0.75 * chips[1]
    assert found.astype(float) == pytest.approx(expected, abs=0.51)
