"""The triplet loss: by hand, against slow NumPy, and its slope."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from facetrail.wire import Chips, Encoder
from training.distillation import TEMPERATURE, DistilledTripletLoss, Teacher, relations
from training.plan import Mining
from training.triplet import GivenTripletLoss, TripletLoss, squared_distances, triplet_loss

Floats = NDArray[np.float32]
MININGS: tuple[Mining, ...] = ("batch_all", "batch_hard", "semi_hard")


def unit(count: int, seed: int, numbers: int = 8) -> Floats:
    drawn = np.random.default_rng(seed).normal(size=(count, numbers))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def slowly(labels: Floats, encodings: Floats, mining: str, alpha: float) -> Iterator[float]:
    """Of each anchor, triplet by triplet, as FaceNet says it."""
    d = ((encodings[:, None].astype(float) - encodings[None]) ** 2).sum(axis=2)
    everyone = range(len(labels))
    for a in everyone:
        same = [p for p in everyone if p != a and labels[p] == labels[a] >= 0]
        other = [n for n in everyone if labels[n] != labels[a] and min(labels[n], labels[a]) >= 0]
        if mining == "batch_all":
            yield sum(max(d[a, p] - d[a, n] + alpha, 0) for p in same for n in other)
        elif mining == "batch_hard":
            hardest = [max(d[a, p] - d[a, n] + alpha, 0) for p in same for n in other]
            yield max(hardest, default=0.0)
        else:
            beyond = {p: [d[a, n] for n in other if d[a, n] > d[a, p]] for p in same}
            yield sum(max(d[a, p] - min(n) + alpha, 0) for p, n in beyond.items() if n)


def test_given_triplets_by_hand() -> None:
    # Given an anchor at (1, 0), a positive at (0, 1) and a negative at (-1, 0)
    anchor, positive, negative = (np.array([xy], np.float32) for xy in ((1, 0), (0, 1), (-1, 0)))
    # then |a - p|² is 2 and |a - n|² is 4
    assert np.asarray(triplet_loss(anchor, positive, negative, 0.2)) == pytest.approx([0.0])
    assert np.asarray(triplet_loss(anchor, negative, positive, 0.2)) == pytest.approx([2.2])
    assert np.asarray(triplet_loss(anchor, positive, positive, 0.2)) == pytest.approx([0.2])


def test_a_loss_over_given_triplets_is_their_sum() -> None:
    triplets = np.array([[[1, 0], [-1, 0], [0, 1]], [[1, 0], [0, 1], [0, 1]]], np.float32)
    loss = GivenTripletLoss(reduction="sum")
    assert float(loss(np.zeros(2), triplets)) == pytest.approx(2.2 + 0.2)


@pytest.mark.parametrize(
    ("mining", "expected"),
    # Squared distances: ab 2, ac 4, bc 2 (a and b one person, c another)
    [("batch_all", 0.0 + 0.2), ("batch_hard", 0.0 + 0.2), ("semi_hard", 0.0)],
)
def test_a_batch_by_hand(mining: Mining, expected: float) -> None:
    # Given a at (1, 0), b at (0, 1) and c at (-1, 0): for the anchor a the triplet costs
    # 2 - 4 + 0.2 < 0; for b it costs 2 - 2 + 0.2, and c is not beyond a
    encodings = np.array([[1, 0], [0, 1], [-1, 0]], np.float32)
    loss = TripletLoss(mining, 0.2, reduction="sum")
    assert float(loss(np.array([5.0, 5.0, 7.0]), encodings)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("mining", MININGS)
@pytest.mark.parametrize("alpha", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_it_is_what_slow_numpy_says(mining: Mining, alpha: float, seed: int) -> None:
    labels = np.random.default_rng(seed).integers(-1, 5, 24).astype(np.float32)
    encodings = unit(24, seed)
    expected = list(slowly(labels, encodings, mining, alpha))
    assert sum(expected) > 0 or (mining, alpha) == ("semi_hard", 0.0)
    found = TripletLoss(mining, alpha, reduction=None)(labels, encodings)
    assert np.asarray(found) == pytest.approx(np.array(expected), abs=1e-4)


@pytest.mark.parametrize("mining", MININGS)
def test_its_slope_is_that_of_small_steps(mining: Mining) -> None:
    # Given a batch, and a small step of each number of one encoding
    labels, encodings = np.array([0, 0, 0, 1, 1, 2], np.float32), unit(6, 4, numbers=4)
    loss = TripletLoss(mining, 0.5, reduction="sum")
    x = tf.Variable(encodings)
    with tf.GradientTape() as tape:
        value = loss(labels, x)
    slope = np.asarray(tape.gradient(value, x))

    step = 1e-3
    expected = np.zeros_like(encodings)
    for place in np.ndindex(*encodings.shape):
        moved = [encodings.copy(), encodings.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        up, down = (float(loss(labels, one)) for one in moved)
        expected[place] = (up - down) / (2 * step)

    assert np.abs(slope).max() > 0.1
    assert slope == pytest.approx(expected, abs=0.02)


def test_equal_encodings_have_a_finite_slope() -> None:
    x = tf.Variable(np.ones((4, 8), np.float32))
    with tf.GradientTape() as tape:
        value = TripletLoss("batch_all")(np.array([0, 0, 1, 1], np.float32), x)
    assert np.isfinite(np.asarray(tape.gradient(value, x))).all()


@pytest.mark.parametrize("mining", MININGS)
@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 0, 0], [-1, -1, -1]])
def test_a_batch_without_triplets_costs_nothing(mining: Mining, labels: list[int]) -> None:
    assert float(TripletLoss(mining)(np.array(labels, np.float32), unit(3, 1))) == 0.0


def test_squared_distances_are_those_of_numpy() -> None:
    encodings = unit(7, 5)
    expected = ((encodings[:, None] - encodings) ** 2).sum(axis=2)
    assert np.asarray(squared_distances(encodings)) == pytest.approx(expected, abs=1e-5)


def test_the_teacher_weighs_beside_the_triplets() -> None:
    # Given labels, and a teacher who says something else
    labels, student, teacher = np.array([[0.0], [0.0], [1.0]], np.float32), unit(3, 1), unit(3, 2)
    targets = np.concatenate([labels, teacher], axis=1)
    triplets = float(TripletLoss("batch_all", reduction="sum")(labels, student))
    assert triplets > 0

    loss = DistilledTripletLoss("batch_all", weight=0.5, reduction="sum")

    meant, said = (shares(one, teacher) for one in (teacher, student))
    relative_entropy = (meant * np.log(meant / said)).sum()
    expected = ((student - teacher) ** 2).sum() + relative_entropy + 0.5 * triplets
    assert relative_entropy > 0
    assert float(loss(targets, student)) == pytest.approx(expected, rel=1e-4)


def shares(encodings: Floats, teacher: Floats) -> Floats:
    """How alike each is to each of the teacher's, as shares of 1."""
    likeness = np.exp(encodings @ teacher.T / TEMPERATURE)
    return np.asarray(likeness / likeness.sum(axis=1, keepdims=True), np.float32)


def test_a_student_who_says_what_the_teacher_says_has_no_relations_to_learn() -> None:
    encodings = unit(6, 1)
    assert np.asarray(relations(encodings, encodings)) == pytest.approx(np.zeros(6), abs=1e-6)


def test_a_teacher_is_centred(encoder: Encoder, chips: Chips) -> None:
    # Given a teacher centred on the very chips that it encodes
    found = Teacher.of(encoder, chips).encode(chips)
    plain = encoder.encode(chips)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1.0, abs=1e-5)
    # I expect strangers farther apart than they were
    assert np.linalg.norm(found[0] - found[1]) > np.linalg.norm(plain[0] - plain[1])


@pytest.mark.parametrize(
    "loss",
    [TripletLoss("batch_hard", 0.3), DistilledTripletLoss(weight=2.0), GivenTripletLoss(0.4)],
)
def test_a_loss_is_the_same_after_it_was_kept(loss: keras.losses.Loss) -> None:
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()


def test_unknown_mining_is_refused() -> None:
    with pytest.raises(ValueError, match="expected mining of .*batch_hard.*, got 'easy'"):
        TripletLoss("easy")  # type: ignore[arg-type]
