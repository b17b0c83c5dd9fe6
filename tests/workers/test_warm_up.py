"""What an encoder has met before the first chip comes."""

from __future__ import annotations

import numpy as np
import pytest

from facetrail.wire import Chips, Encodings
from workers.__main__ import warm_up


class Counting:
    """An encoder that remembers how many chips it was given at a time."""

    id, threshold, margin = "counting@0", 1.0, 0.0

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def encode(self, chips: Chips) -> Encodings:
        self.sizes.append(len(chips))
        return np.zeros((len(chips), 128), np.float32)


@pytest.mark.parametrize(
    ("batch_size", "sizes"),
    [(1, [1]), (2, [1, 2]), (5, [1, 2, 4, 5]), (32, [1, 2, 4, 8, 16, 32])],
)
def test_every_size_that_is_filled_up_to_is_met(batch_size: int, sizes: list[int]) -> None:
    encoder = Counting()
    warm_up(encoder, batch_size)
    assert encoder.sizes == sizes
