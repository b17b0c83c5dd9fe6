"""The index answers as plain numpy does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from facetrail.errors import BadEncodings
from facetrail.wire import Encodings
from index import face_index
from index import rows as searched
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


def people_of(encodings: Encodings, photos: int) -> tuple[list[str], Encodings]:
    """So many photos of each person, near to each other."""
    random = np.random.default_rng(7)
    rows = np.repeat(encodings, photos, axis=0)
    rows = rows + 0.3 * random.normal(size=rows.shape) / 128**0.5
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return [f"person {i // photos}" for i in range(len(rows))], rows


@pytest.mark.parametrize("exact", [20_000, 10])
def test_a_changed_index_answers_as_one_made_anew(
    unit: Unit, exact: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an index of 500 people, by every row or by codes
    monkeypatch.setattr(searched, "EXACT", exact)
    people, known = people_of(unit(500), 2)
    index = FaceIndex(people, known)
    truth = {f"person {i}": known[2 * i : 2 * i + 2] for i in range(500)}

    # If some are removed, some get other photos and some are new
    changes = [
        {f"person {i}": known[:0] for i in range(0, 100)},
        {f"person {i}": unit(3, seed=i) for i in range(80, 120)},
        {f"new {i}": unit(1, seed=1000 + i) for i in range(30)},
        {"new 3": known[:0], "person 90": unit(40, seed=2)},
    ]
    for change in changes:
        before = index.search(known[:5])
        changed = index.changed(change)
        assert index.search(known[:5]) == before
        index = changed
        truth = {name: own for name, own in (truth | change).items() if len(own)}

    # I expect what an exact index of those people finds
    names = [name for name, own in truth.items() for _ in own]
    encodings = np.concatenate(list(truth.values()))
    assert len(index) == len(names)
    probes = np.concatenate([people_of(unit(500), 1)[1], unit(3, seed=2)])
    for found in (index, index.rebuilt()):
        check_nearest(found, names, encodings, probes)
        kept = found.people()
        assert set(kept) == set(truth)
        assert all(np.array_equal(np.sort(kept[name], 0), np.sort(truth[name], 0)) for name in kept)


def check_nearest(index: FaceIndex, people: list[str], known: Encodings, probes: Encodings) -> None:
    similarities = probes @ known.T
    for (nearest, *_), row in zip(index.search(probes), similarities, strict=True):
        best = int(np.argmax(row))
        assert nearest.person == people[best]
        assert nearest.distance == pytest.approx(max(0, 2 - 2 * row[best]) ** 0.5, abs=1e-3)


def test_it_says_how_many_of_the_nearest_agree(unit: Unit) -> None:
    people, known = people_of(unit(20), 3)
    for i, candidates in enumerate(FaceIndex(people, known).search(unit(20))):
        assert (candidates[0].person, candidates[0].agreeing) == (f"person {i}", 3)


def test_an_index_of_which_much_has_changed_is_worn(
    unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face_index, "EXACT", 50)
    monkeypatch.setattr(searched, "EXACT", 10)
    people, known = people_of(unit(200), 1)
    index = FaceIndex(people, known)
    assert not index.changed({"new": unit(50)}).worn
    assert index.changed({"new": unit(51)}).worn
    assert not index.changed({f"person {i}": known[:0] for i in range(50)}).worn
    assert index.changed({f"person {i}": known[:0] for i in range(51)}).worn
    assert not index.changed({"new": unit(51)}).rebuilt().worn


def test_nothing_of_whoever_was_removed_stays_in_a_small_index(unit: Unit) -> None:
    index = FaceIndex(["ada", "ben"], unit(2)).changed({"cleo": unit(1, seed=1)})
    index = index.changed({"ada": unit(0)})
    kept = np.concatenate([part.rows.encodings for part in index._parts])
    assert np.array_equal(kept, np.concatenate([unit(2)[1:], unit(1, seed=1)]))


def test_a_large_one_that_is_rebuilt_has_only_those_who_count(
    unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searched, "EXACT", 10)
    index = FaceIndex(*people_of(unit(100), 2)).changed({"person 3": unit(0)})
    (masked, _), (block, tail) = index._parts, index.rebuilt()._parts
    assert (len(masked.rows.encodings), len(block.rows.encodings), len(tail)) == (200, 198, 0)
