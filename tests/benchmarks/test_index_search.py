"""What is drawn has the spread it was drawn with, and answers are counted as they are."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.index_search import Answers, Drawn, Search, Spread, compared, ids_of, timed
from facetrail.wire import Encodings
from index.face_index import FaceIndex
from index.rows import ExactRows


def spread() -> Spread:
    """Of 300 people who differ more from each other than a person's photos do."""
    random = np.random.default_rng(3)
    people = random.normal(size=(300, 1, 128)) + 0.5 * random.normal(size=(300, 4, 128))
    rows = people / np.linalg.norm(people, axis=2, keepdims=True)
    return Spread.of(list(rows.astype(np.float32)))


def test_each_person_drawn_has_two_rows_and_is_nearest_to_their_own_probe() -> None:
    drawn, ids = Drawn.of(spread(), 200, 50), ids_of(200)
    assert (len(drawn.enrolled), len(drawn.known), len(drawn.strangers)) == (400, 50, 50)
    assert np.linalg.norm(drawn.enrolled, axis=1) == pytest.approx(1, abs=1e-5)
    found = Answers.exact(ExactRows(drawn.enrolled), ids, drawn.known)
    assert found.people == [f"{i:012x}" for i in range(50)]


def test_ids_are_hexadecimal_and_two_of_each() -> None:
    ids = ids_of(70_000)
    assert ids.dtype == "S12"
    assert ids[[0, 1, 2, -2, -1]].tolist() == [
        b"000000000000",
        b"000000000000",
        b"000000000001",
        b"00000001116f",
        b"00000001116f",
    ]
    assert len(np.unique(ids)) == 70_000


def test_an_index_and_every_row_give_the_same_answers() -> None:
    drawn, ids = Drawn.of(spread(), 100, 40), ids_of(100)
    truth = Answers.exact(ExactRows(drawn.enrolled), ids, drawn.known)
    found = Answers.of(FaceIndex(ids, drawn.enrolled), drawn.known, 1.1)
    assert found.people == truth.people
    assert found.distances == pytest.approx(truth.distances, abs=1e-3)


def test_recall_and_decisions_are_counted() -> None:
    truth = Answers(["ada", "ben", "cleo", "dan"], np.array([0.5, 0.6, 0.7, 0.9], np.float32))
    found = Answers(["ada", "eve", "cleo", "dan"], np.array([0.5, 0.8, 0.7, 0.9], np.float32))
    assert compared(truth, found, 0.65) == (
        "at 0.650 50.00% are named, 0.5000 of them as the same, and 1 of 4 decided otherwise than "
        "by every row"
    )
    assert compared(truth, found, 0.95) == (
        "at 0.950 100.00% are named, 0.7500 of them as the same, and 0 of 4 decided otherwise than "
        "by every row"
    )
    assert compared(truth, found, 0.1) == (
        "at 0.100 0.00% are named, and 0 of 4 decided otherwise than by every row"
    )


def test_ways_take_turns_batch_by_batch() -> None:
    seen: list[tuple[str, int]] = []

    def search(name: str) -> Search:
        def noted(batch: Encodings) -> None:
            seen.append((name, len(batch)))

        return noted

    batches = [np.zeros((1, 128), np.float32), np.zeros((2, 128), np.float32)]
    taken = timed({"one": search("one"), "other": search("other")}, batches)
    assert seen == [("one", 1), ("other", 1), ("one", 2), ("other", 2)]
    assert list(taken) == ["one", "other"]
