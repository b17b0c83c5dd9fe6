"""The baseline compares pictures, not faces."""

from __future__ import annotations

import numpy as np
import pytest

from training.pixels import Pixels


def test_chips_become_rows_of_length_one() -> None:
    chips = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    chips[2] = 0
    found = Pixels().encode(chips)
    assert (found.shape, found.dtype) == ((3, Pixels.length), np.dtype("float32"))
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 1, 0], abs=1e-5)


def test_brightness_changes_nothing_and_a_shifted_picture_is_another() -> None:
    stripes = np.zeros((1, 112, 112, 3), np.uint8)
    stripes[:, :, ::4] = 100
    dark, bright, shifted = Pixels().encode(
        np.concatenate([stripes, 2 * stripes, np.roll(stripes, 1, axis=2)])
    )
    assert np.linalg.norm(dark - bright) == pytest.approx(0, abs=1e-4)
    assert np.linalg.norm(dark - shifted) == pytest.approx(np.sqrt(2), abs=1e-4)


def test_no_chips_make_no_rows() -> None:
    assert Pixels().encode(np.empty((0, 112, 112, 3), np.uint8)).shape == (0, Pixels.length)
