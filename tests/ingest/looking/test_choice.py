"""Which chips of a track go: all at first, then better ones, and one every few seconds."""

from __future__ import annotations

import pytest

from ingest.looking.choice import FIRST, QUIET_S, ChipChoice


def begun(score: float = 0.5, better_by: float = 0.1) -> ChipChoice:
    """A track whose first chips have gone, the last of them at 0 seconds."""
    choice = ChipChoice(better_by)
    assert all(choice.takes(score, 0.0) for _ in range(FIRST))
    return choice


def test_the_first_chips_go_however_poor() -> None:
    assert begun(0.01).sent == FIRST


@pytest.mark.parametrize("better_by", [0.0, 0.1, 0.5])
def test_then_only_one_goes_that_is_better_by_the_amount(better_by: float) -> None:
    choice = begun(0.5, better_by)
    assert not choice.takes(0.5 * (1 + better_by), 0.2)
    assert choice.takes(0.5 * (1 + better_by) + 0.01, 0.2)
    assert not choice.takes(0.5 * (1 + better_by) + 0.01, 0.4)
    assert choice.sent == FIRST + 1


def test_a_track_is_never_quiet_for_long() -> None:
    choice = begun(0.9)
    taken = [i / 5 for i in range(1, 251) if choice.takes(0.1, i / 5)]
    assert len(taken) == 10
    assert all(b - a >= QUIET_S for a, b in zip(taken, taken[1:], strict=False))


def test_a_poor_chip_does_not_lower_the_bar() -> None:
    choice = begun(0.8)
    assert choice.takes(0.1, QUIET_S)
    assert not choice.takes(0.5, QUIET_S + 0.2)


def test_what_may_be_taken_is_told_without_counting_it() -> None:
    choice = begun(0.5)
    assert not choice.may_take(0.5, 0.2)
    assert choice.may_take(0.6, 0.2) and choice.may_take(0.1, QUIET_S)
    assert choice.sent == FIRST
