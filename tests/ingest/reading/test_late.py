"""Reading that falls behind is noticed, and only that."""

from __future__ import annotations

from collections.abc import Iterable

from ingest.reading.late import LATE_S, Lateness


def late(pairs: Iterable[tuple[float | None, float]]) -> list[bool]:
    lateness = Lateness()
    return [lateness.behind_s(stamp, arrived) > LATE_S for stamp, arrived in pairs]


def test_a_reader_that_keeps_up_is_not_late_however_packets_bunch() -> None:
    assert not any(late((i / 15, 100 + (i // 10) * 10 / 15) for i in range(500)))


def test_a_reader_at_half_the_speed_is_late_until_it_has_caught_up() -> None:
    slow = [(i / 15, 100 + 2 * i / 15) for i in range(60)]  # 4 s behind in the end
    after = [(4 + i / 15, 108.0 + i / 60) for i in range(90)]
    found = late([*slow, *after])
    assert not any(found[:22])
    assert all(found[24:60])
    assert not any(found[-20:])
    assert LATE_S == 1.5


def test_clocks_that_differ_are_no_lateness() -> None:
    assert not any(late((i * 1.001, i * 1.0) for i in range(100_000)))
    assert not any(late((i * 0.999, i * 1.0) for i in range(100_000)))


def test_a_camera_that_paused_is_forgiven_after_a_while() -> None:
    before = [(i / 15, 100 + i / 15) for i in range(150)]
    after = [(10 + i / 15, 115 + i / 15) for i in range(15 * 240)]
    found = late([*before, *after])
    assert found[150] and not found[-1]


def test_stamps_that_jump_or_are_missing_are_no_lateness() -> None:
    jump = [(95_000 + i / 15, 110 + i / 15) for i in range(20)]
    back = [(5 + i / 15, 112 + i / 15) for i in range(20)]
    assert not any(late([(None, 1.0), (100.0, 109.0), *jump, *back, (None, 300.0)]))
