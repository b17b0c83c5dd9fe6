"""Photos of one person agree; whoever's does not is named with its distance."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from facetrail.wire import Encodings
from index.photos import consistency
from index.photos.consistency import Doubt, doubts, farthest
from index.photos.known_people import Similar
from index.rows import NOBODY

LIMIT = 0.5


def at(*degrees: float) -> Encodings:
    """Float32 `(n, 128)`: points on a circle."""
    rows = np.zeros((len(degrees), 128), np.float32)
    rows[:, 0], rows[:, 1] = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return rows


def ben(distance: float) -> Similar:
    return Similar("b" * 12, "Ben", distance, 0.4)


def reasons(found: list[Doubt | None]) -> list[str | None]:
    return [doubt and doubt.reason for doubt in found]


def judged(given: Encodings, enrolled: Encodings = NOBODY) -> list[str | None]:
    return reasons(doubts(given, enrolled, [None] * len(given), limit=LIMIT))


INCONSISTENT, SIMILAR = "inconsistent_with_other_photos", "looks_like_other_person"


@pytest.mark.parametrize(
    ("given", "enrolled", "expected"),
    [
        ((0,), (), [None]),
        ((0, 90), (), [None, INCONSISTENT]),
        ((90, 0, 10), (), [INCONSISTENT, None, None]),
        ((0, 20, 40, 60), (), [None] * 4),
        ((0, 10, 90, 100), (), [None, None, INCONSISTENT, INCONSISTENT]),
        ((90, 100, 110), (0,), [INCONSISTENT] * 3),
        ((90, 10), (0,), [INCONSISTENT, None]),
        ((20, 40), (0, 180), [None, None]),
    ],
)
def test_photos_near_to_another_of_the_person_are_consistent(
    given: tuple[int, ...], enrolled: tuple[int, ...], expected: list[str | None]
) -> None:
    assert judged(at(*given), at(*enrolled)) == expected


@pytest.mark.parametrize("enrolled", [0, 2000])
def test_thousands_of_photos_of_one_person_take_no_memory_for_each_pair(enrolled: int) -> None:
    # Given 4000 photos, each near to the next, and one of somebody else
    given = at(*np.linspace(0, 90, 4000 - enrolled), 180)
    before = at(*np.linspace(0, 90, enrolled)) if enrolled else NOBODY
    tracemalloc.start()
    try:
        found = judged(given, before)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == [None] * (len(given) - 1) + [INCONSISTENT]
    assert most < 40e6  # all distances at once would take 64 MB, and their signs 16 more


@pytest.mark.parametrize("enrolled", [(), (0, 5, 200)])
def test_blocks_make_no_difference(
    enrolled: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    given, before = at(90, 20, 100, 40, 60, 15, 190), at(*enrolled)
    others = [None, ben(0.1), None, None, ben(0.2), None, None]
    whole = reasons(doubts(given, before, others, limit=LIMIT))
    assert set(whole) == {None, INCONSISTENT, SIMILAR}
    monkeypatch.setattr(consistency, "BLOCK", 2)
    assert reasons(doubts(given, before, others, limit=LIMIT)) == whole


def test_a_doubt_says_how_far_it_is_and_how_far_it_may_be() -> None:
    _, doubt = doubts(at(0, 60), NOBODY, [None, None], limit=LIMIT)
    assert doubt is not None
    assert (doubt.value, doubt.limit) == (pytest.approx(1.0), LIMIT)


def test_whoever_is_nearer_to_somebody_else_looks_like_them() -> None:
    # Given photos about 0.35 apart
    given = at(0, 20)
    nearer, farther = ben(0.2), ben(0.36)

    # I expect only the one that is nearer to Ben to be doubted, whichever comes first
    assert reasons(doubts(given, NOBODY, [nearer, None], limit=LIMIT)) == [SIMILAR, None]
    assert reasons(doubts(given, NOBODY, [farther, nearer], limit=LIMIT)) == [None, SIMILAR]
    assert reasons(doubts(given[:1], given[1:], [nearer], limit=LIMIT)) == [SIMILAR]
    (doubt, _) = doubts(given, NOBODY, [nearer, None], limit=LIMIT)
    assert doubt is not None
    assert (doubt.value, doubt.limit, doubt.other) == (0.2, 0.4, nearer)


def test_a_little_nearer_to_somebody_else_than_to_another_photo_is_still_theirs() -> None:
    # Given photos about 0.35 apart, one of them nearer to Ben, whose threshold is 0.4
    given = at(0, 20)
    for distance, expected in ((0.28, None), (0.26, SIMILAR)):
        found = doubts(given, NOBODY, [ben(distance), None], limit=LIMIT)
        assert reasons(found) == [expected, None]


def test_with_no_other_photo_nobody_looks_like_somebody_else() -> None:
    assert doubts(at(0), NOBODY, [ben(0.01)], limit=LIMIT) == [None]


def test_a_wrong_first_photo_of_two_gives_way_to_the_right_one() -> None:
    found = doubts(at(90, 0), NOBODY, [ben(0.1), None], limit=LIMIT)
    assert reasons(found) == [SIMILAR, None]


def test_many_photos_of_somebody_else_do_not_vouch_for_each_other() -> None:
    found = doubts(at(90, 91, 92), at(0), [ben(0.3)] * 3, limit=LIMIT)
    assert reasons(found) == [SIMILAR] * 3


@pytest.mark.parametrize(
    ("encoder", "factor"),
    [
        ("dlib_resnet@55533b28", 1.25),
        ("dlib_resnet+mirrored@55533b28", 1.25),
        ("retail0095@32890781", 1.1),
        ("mine@00000000", 1.2),
    ],
)
def test_how_far_is_said_in_the_encoders_own_thresholds(encoder: str, factor: float) -> None:
    class Some:
        id, threshold, margin = encoder, 0.4, 0.1

    assert farthest(Some()) == pytest.approx(0.4 * factor)  # type: ignore[arg-type]
