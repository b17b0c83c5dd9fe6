"""The learning rate over the batches of a training."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from training.rate import Cycles


def rates(schedule: Cycles, steps: int) -> list[float]:
    return [float(schedule(step)) for step in range(steps)]


def test_it_grows_and_falls_to_nothing() -> None:
    found = rates(Cycles(0.1, 100), 100)
    assert found[:3] == pytest.approx([0, 0.05, 0.1])
    assert found[51] == pytest.approx(0.05)  # half way down
    assert np.all(np.diff(found[2:]) < 0)
    assert 0 < found[99] < 1e-4


def test_each_cycle_is_half_as_high_as_the_one_before() -> None:
    found = rates(Cycles(0.1, 50), 150)
    assert found[50:100] == pytest.approx(np.multiply(found[:50], 0.5).tolist())
    assert found[100:] == pytest.approx(np.multiply(found[:50], 0.25).tolist())


def test_it_goes_on_from_a_checkpoint() -> None:
    saved = keras.saving.serialize_keras_object(Cycles(0.1, 50))
    again = keras.saving.deserialize_keras_object(saved)
    assert rates(again, 60) == rates(Cycles(0.1, 50), 60)
