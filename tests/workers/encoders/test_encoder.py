"""What every encoder promises, whichever it is."""

from __future__ import annotations

import numpy as np
import pytest

from facetrail.errors import BadEncodings
from facetrail.wire import Chips
from workers.encoders.registry import ServedEncoder


def test_encodings_are_128_numbers_of_length_1(served: ServedEncoder, chips: Chips) -> None:
    encodings = served.encode(chips)
    assert (encodings.shape, encodings.dtype) == ((len(chips), 128), np.dtype("float32"))
    assert np.linalg.norm(encodings, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_one_person_is_near_and_two_are_far(served: ServedEncoder, chips: Chips) -> None:
    encodings = served.encode(chips)
    distance = np.linalg.norm(encodings[:, None] - encodings, axis=2)
    assert max(distance[0, 2], distance[1, 3]) < served.threshold  # each and its mirror image
    assert min(distance[0, 1], distance[0, 3], distance[2, 1]) > served.threshold


def test_no_chips_have_no_encodings(served: ServedEncoder) -> None:
    encodings = served.encode(np.empty((0, 112, 112, 3), np.uint8))
    assert (encodings.shape, encodings.dtype) == ((0, 128), np.dtype("float32"))


def test_a_batch_is_answered_like_its_chips_one_by_one(served: ServedEncoder, chips: Chips) -> None:
    one_by_one = np.concatenate([served.encode(chip[None]) for chip in chips])
    assert served.encode(chips) == pytest.approx(one_by_one, abs=1e-6)


def test_batches_of_every_size_are_answered(served: ServedEncoder, chips: Chips) -> None:
    expected = served.encode(chips)
    for size in (2, 3, 33, 1, 32):
        rows = np.resize(np.arange(len(chips)), size)
        assert served.encode(chips[rows]) == pytest.approx(expected[rows], abs=1e-6)


def test_an_answer_stays_when_the_next_comes(served: ServedEncoder, chips: Chips) -> None:
    first = served.encode(chips[:2])
    kept = first.copy()
    served.encode(chips[2:4])
    assert np.array_equal(first, kept)


def test_chips_that_are_views_are_answered_alike(served: ServedEncoder, chips: Chips) -> None:
    mirrored = chips[:, :, ::-1]
    assert not mirrored.flags.c_contiguous
    assert np.array_equal(served.encode(mirrored), served.encode(np.ascontiguousarray(mirrored)))


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((2, 112, 112, 3), np.float32),
        ((2, 112, 112), np.uint8),
        ((112, 112, 3), np.uint8),
        ((2, 3, 112, 112), np.uint8),
        ((2, 150, 150, 3), np.uint8),
        ((2, 112, 112, 1), np.uint8),
        ((0,), np.uint8),
    ],
)
def test_other_chips_are_refused_with_a_sentence(
    served: ServedEncoder, shape: tuple[int, ...], dtype: type[np.generic]
) -> None:
    with pytest.raises(BadEncodings) as caught:
        served.encode(np.zeros(shape, dtype))
    assert str(caught.value) == (
        f"expected uint8 chips of shape (n, 112, 112, 3), got {np.dtype(dtype)} {shape}"
    )
