"""The index answers as plain numpy does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from facetrail.errors import BadEncodings
from facetrail.wire import Encodings
from index.face_index import FaceIndex

Unit = Callable[..., Encodings]


def in_numpy(people: list[str], known: Encodings, probe: Encodings) -> list[tuple[str, float]]:
    """The two nearest people, and their distances."""
    distances = np.linalg.norm(known - probe, axis=1)
    best = {
        person: float(min(distances[i] for i, own in enumerate(people) if own == person))
        for person in set(people)
    }
    return sorted(best.items(), key=lambda item: item[1])[:2]


def check_like_numpy(people: list[str], known: Encodings, probes: Encodings) -> None:
    found = FaceIndex(people, known).search(probes)
    for candidates, probe in zip(found, probes, strict=True):
        expected = in_numpy(people, known, probe)
        assert [candidate.person for candidate in candidates] == [name for name, _ in expected]
        assert [candidate.distance for candidate in candidates] == pytest.approx(
            [distance for _, distance in expected], abs=1e-3
        )


@pytest.mark.parametrize(("people", "photos"), [(1, 1), (1, 50), (2, 1), (7, 3), (200, 5)])
def test_it_finds_the_two_nearest_people(unit: Unit, people: int, photos: int) -> None:
    names = [f"person {i % people}" for i in range(people * photos)]
    check_like_numpy(names, unit(people * photos), unit(40, seed=1))


def test_a_person_with_many_photos_does_not_hide_the_runner_up(unit: Unit) -> None:
    # Given one of a hundred photos, all nearer to each other than anyone else is
    middle = unit(1)
    crowd = middle + 0.3 * unit(100, seed=1)
    crowd /= np.linalg.norm(crowd, axis=1, keepdims=True)
    known = np.concatenate([crowd, unit(3, seed=2)])
    people = ["ada"] * 100 + ["ben", "cleo", "dan"]

    # If she is looked for, and others in the same batch
    probes = np.concatenate([middle, unit(5, seed=3)])

    # I expect her and a runner-up
    check_like_numpy(people, known, probes)
    assert FaceIndex(people, known).search(middle)[0][0].person == "ada"


def test_the_same_encoding_is_at_distance_0(unit: Unit) -> None:
    known = unit(5)
    for i, candidates in enumerate(FaceIndex(list("abcde"), known).search(known)):
        assert candidates[0].person == "abcde"[i]
        assert candidates[0].distance == pytest.approx(0, abs=1e-3)


def test_the_opposite_encoding_is_at_distance_2(unit: Unit) -> None:
    ((candidate,),) = FaceIndex(["ada"], unit(1)).search(-unit(1))
    assert candidate.distance == pytest.approx(2)


def test_an_empty_index_knows_nobody(unit: Unit) -> None:
    empty = FaceIndex([], np.empty((0, 128), np.float32))
    assert len(empty) == 0
    assert empty.search(unit(3)) == [[], [], []]


def test_no_probes_have_no_answers(unit: Unit) -> None:
    assert FaceIndex(["ada"], unit(1)).search(np.empty((0, 128), np.float32)) == []


def test_what_was_given_may_change_afterwards(unit: Unit) -> None:
    known, people = unit(2), ["ada", "ben"]
    index = FaceIndex(people, known)
    before = index.search(unit(2))
    known[:] = unit(2, seed=9)
    people.reverse()
    assert index.search(unit(2)) == before


def test_an_index_of_another_length_than_its_people_is_refused(unit: Unit) -> None:
    with pytest.raises(BadEncodings, match="expected 1 encodings, got 2"):
        FaceIndex(["ada"], unit(2))


@pytest.mark.parametrize(
    ("encodings", "sentence"),
    [
        (np.ones((1, 256), np.float32) / 16, r"expected shape \(n, 128\), got \(1, 256\)"),
        (np.ones((1, 1, 128), np.float32), r"expected shape \(n, 128\), got \(1, 1, 128\)"),
        (np.ones((1, 128)) / 128**0.5, "expected dtype float32, got float64"),
        (np.ones((1, 128), np.float32), "expected rows of length 1"),
        (np.zeros((1, 128), np.float32), "expected rows of length 1"),
        (np.full((1, 128), np.nan, np.float32), "expected rows of length 1"),
    ],
)
def test_other_encodings_are_refused(unit: Unit, encodings: Encodings, sentence: str) -> None:
    with pytest.raises(BadEncodings, match=sentence):
        FaceIndex(["ada"], encodings)
    with pytest.raises(BadEncodings, match=sentence):
        FaceIndex(["ada"], unit(1)).search(encodings)
