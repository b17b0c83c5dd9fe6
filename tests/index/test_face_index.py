"""The index answers as plain numpy does."""

from __future__ import annotations

import threading
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


def test_an_index_may_take_over_what_it_is_given_without_a_copy(
    unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = unit(40)
    for exact in (20_000, 10):
        monkeypatch.setattr(searched, "EXACT", exact)
        index = FaceIndex.of(["ada", "ben"] * 20, known)
        assert index._parts[0].rows.encodings is known
        assert index.search(known) == FaceIndex(["ada", "ben"] * 20, known).search(known)


@pytest.mark.parametrize("exact", [20_000, 10])
def test_ids_may_be_strings_or_bytes(
    unit: Unit, exact: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searched, "EXACT", exact)
    people = [f"{i % 70:012x}" for i in range(200)]
    by_string = FaceIndex(people, unit(200))
    by_bytes = FaceIndex(np.array(people, "S12"), unit(200))
    change = {people[3]: unit(0), "somebody with a longer id": unit(2, seed=2)}
    for one, other in (
        (by_string, by_bytes),
        (by_string.changed(change), by_bytes.changed(change)),
        (by_string.changed(change).rebuilt(), by_bytes.changed(change).rebuilt()),
    ):
        assert one.search(unit(9, seed=1)) == other.search(unit(9, seed=1))
        assert sorted(one.people()) == sorted(other.people())


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


@pytest.mark.parametrize(("exact", "half"), [(20_000, False), (10, False), (10, True)])
def test_a_changed_index_answers_as_one_made_anew(
    unit: Unit, exact: int, half: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an index of 500 people, by every row or by codes, of 32 or 16 bits
    monkeypatch.setattr(searched, "EXACT", exact)
    people, known = people_of(unit(500), 2)
    index = FaceIndex(people, known, half=half)
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
        for name, own in kept.items():
            assert own.dtype == np.float32
            off = np.abs(np.sort(own, 0) - np.sort(truth[name], 0))
            assert off.max() <= (1e-3 if half else 0)


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


def test_it_says_how_many_rows_no_longer_count(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searched, "EXACT", 10)
    people, known = people_of(unit(100), 2)
    index = FaceIndex(people, known)
    assert (len(index), index.masked) == (200, 0)
    index = index.changed(
        {"person 3": unit(0), "person 4": unit(5, seed=1), "new": unit(1, seed=2)}
    )
    assert (len(index), index.masked) == (202, 4)
    index = index.changed({"new": unit(0), "nobody": unit(0)})
    assert (len(index), index.masked) == (201, 4)
    assert (len(index.rebuilt()), index.rebuilt().masked) == (201, 0)
    monkeypatch.undo()
    assert FaceIndex(people, known).changed({"person 3": unit(0)}).masked == 0


@pytest.mark.parametrize("half", [False, True])
def test_one_that_is_rebuilt_answers_as_a_new_one(
    unit: Unit, half: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a large index of which some were removed and some came
    monkeypatch.setattr(searched, "EXACT", 10)
    people, known = people_of(unit(300), 2)
    came = {f"new {i}": unit(2, seed=50 + i) for i in range(20)}
    gone = {f"person {i}": unit(0) for i in range(40)}
    changed = FaceIndex(people, known, half=half).changed(gone | came)

    # If it is rebuilt, and another one is made of the same rows
    names = people[80:] + [name for name in came for _ in range(2)]
    anew = FaceIndex(names, np.concatenate([known[80:], *came.values()]), half=half)
    rebuilt = changed.rebuilt()

    # I expect the same answers, by rows kept in the same way
    kept = rebuilt._parts[0].rows.encodings
    assert kept.dtype == (np.float16 if half else np.float32)
    assert np.array_equal(kept, anew._parts[0].rows.encodings)
    probes = np.concatenate([known[:40], known[100:140], *came.values(), unit(20, seed=9)])
    found = zip(rebuilt.search(probes), anew.search(probes), strict=True)
    for (one, *_), (other, *_) in found:
        assert one.person == other.person
        assert one.distance == pytest.approx(other.distance, abs=1e-3)


def test_an_index_is_rebuilt_in_another_thread_while_it_is_searched_and_changed(
    unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searched, "EXACT", 10)
    people, known = people_of(unit(2000), 2)
    index = FaceIndex(people, known).changed({"person 0": unit(0)})
    built: list[FaceIndex] = []
    aside = threading.Thread(target=lambda: built.extend(index.rebuilt() for _ in range(3)))
    aside.start()
    turns = 0
    while aside.is_alive() or turns < 3:
        changed = index.changed({f"person {1 + turns % 1000}": unit(0)})
        assert len(changed) == 3996
        assert [one.person for one, *_ in index.search(known[2:10:2])] == people[2:10:2]
        turns += 1
    aside.join()
    assert [len(one) for one in built] == [3998] * 3
    assert all("person 0" not in one.people() for one in built)


@pytest.mark.parametrize("half", [False, True])
def test_nobody_who_was_removed_is_found(
    unit: Unit, half: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given 300 rows of one person nearer to a probe than anyone else's
    monkeypatch.setattr(searched, "EXACT", 10)
    crowd = people_of(unit(1), 300)[1]
    others = people_of(unit(100, seed=1), 2)
    known = np.concatenate([crowd, others[1]])
    index = FaceIndex(["ada"] * 300 + others[0], known, half=half)
    assert index.search(unit(1))[0][0].person == "ada"

    # If she is removed
    left = index.changed({"ada": unit(0)})

    # I expect the nearest two of the others, however they are asked for
    expected = in_numpy(others[0], others[1], unit(1)[0])
    (found,) = left.search(unit(1))
    for candidates in (found, left.nearest_people(unit(1)[0], 2)):
        assert [candidate.person for candidate in candidates] == [name for name, _ in expected]
    assert "ada" not in left.people()
    assert len(left.distances_to("ada", unit(1)[0])) == 0


def check_asked_for_one(index: FaceIndex, people: list[str], known: Encodings) -> None:
    """Whatever compares one probe with every row."""
    probe = people_of(known[[11]], 1)[1][0]
    distances = np.linalg.norm(known - probe, axis=1)
    best: dict[str, float] = {}
    for row in np.argsort(distances):
        best.setdefault(people[row], float(distances[row]))
    expected = list(best.items())
    nearest = index.nearest_people(probe, 7)
    assert [one.person for one in nearest] == [name for name, _ in expected[:7]]
    assert [one.distance for one in nearest] == pytest.approx(
        [distance for _, distance in expected[:7]], abs=1e-3
    )
    but = index.nearest_but(probe, {expected[0][0], expected[2][0], "nobody"})
    assert but is not None
    assert (but.person, but.distance) == (nearest[1].person, nearest[1].distance)
    assert index.nearest_but(probe, list(best)) is None
    own = [distance for name, distance in zip(people, distances, strict=True) if name == people[-1]]
    assert sorted(index.distances_to(people[-1], probe)) == pytest.approx(sorted(own), abs=1e-3)
    assert len(index.nearest_people(probe, 10_000)) == len(best)


@pytest.mark.parametrize(("exact", "half"), [(20_000, False), (10, False), (10, True)])
def test_the_nearest_people_are_found_among_all_rows(
    unit: Unit, exact: int, half: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searched, "EXACT", exact)
    people, known = people_of(unit(200), 3)
    index = FaceIndex(people, known, half=half)
    check_asked_for_one(index, people, known)
    changed = index.changed({"person 0": unit(0), "person 9": unit(2, seed=5), "new": unit(1, 6)})
    names = [name for name in people if name not in ("person 0", "person 9")]
    rows = np.array([name in names for name in people])
    names += ["person 9", "person 9", "new"]
    check_asked_for_one(changed, names, np.concatenate([known[rows], unit(2, seed=5), unit(1, 6)]))


def test_an_empty_index_has_no_nearest_people(unit: Unit) -> None:
    empty = FaceIndex([], unit(0))
    assert empty.nearest_people(unit(1)[0], 3) == []
    assert empty.nearest_but(unit(1)[0], ["ada"]) is None
    assert len(empty.distances_to("ada", unit(1)[0])) == 0


def test_other_single_probes_are_refused(unit: Unit) -> None:
    index = FaceIndex(["ada"], unit(1))
    for ask in (
        index.nearest_people,
        index.nearest_but,
        lambda probe, _: index.distances_to("ada", probe),
    ):
        with pytest.raises(BadEncodings, match="expected rows of length 1"):
            ask(np.zeros(128, np.float32), 1)


def test_a_large_index_of_16_bits_is_near_to_one_of_32(
    unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searched, "EXACT", 10)
    people, known = people_of(unit(500), 2)
    full, half = FaceIndex(people, known), FaceIndex(people, known, half=True)
    assert half._parts[0].rows.encodings.nbytes == full._parts[0].rows.encodings.nbytes / 2
    # The same encoding is the hardest: there, a little off is far off.
    found = zip(full.search(known), half.search(known), strict=True)
    for (one, second), (other, its_second) in found:
        assert one.person == other.person
        assert one.distance == pytest.approx(other.distance, abs=1e-3)
        assert second.distance == pytest.approx(its_second.distance, abs=1e-3)


def test_a_small_index_keeps_32_bits_until_it_has_grown(
    unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searched, "EXACT", 50)
    index = FaceIndex([str(i) for i in range(50)], unit(50), half=True)
    assert index._parts[0].rows.encodings.dtype == np.float32
    index = index.changed({f"new {i}": unit(1, seed=i) for i in range(30)})
    assert index._parts[0].rows.encodings.dtype == np.float16
    index = index.changed({f"new {i}": unit(0) for i in range(30)}).rebuilt()
    assert index._parts[0].rows.encodings.dtype == np.float32
