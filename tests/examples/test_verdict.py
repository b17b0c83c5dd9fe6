from __future__ import annotations

from collections.abc import Callable

import pytest

from examples.verdict import Expected, faults
from facetrail.events import MatchEvent

Event = Callable[..., MatchEvent]
EXPECTED = Expected(person="Ada", person_at="lobby", stranger_at="garage", every_s=12)
#: When the next round of the clips begins, and the one after.
NEXT = "2026-11-01T12:00:12.000000Z"
AFTER = "2026-11-01T12:00:24.000000Z"


@pytest.fixture
def all_seen(event: Event) -> list[MatchEvent]:
    return [
        event("camera_online", "lobby", track=None),
        event("person_enter", "lobby", track=1, name="Ada"),
        event("unknown_enter", "garage", track=1),
        event("person_update", "lobby", track=1, name="Ada"),
        event("person_exit", "lobby", track=1, name="Ada"),
        event("person_enter", "lobby", track=2, name="Ada", captured_at=NEXT),
        event("unknown_exit", "garage", track=1),
    ]


def test_all_that_was_expected_is_no_fault(all_seen: list[MatchEvent]) -> None:
    assert faults(all_seen, EXPECTED) == []


def test_without_events_both_people_are_missing() -> None:
    assert faults([], EXPECTED) == [
        "Ada was not seen entering at lobby",
        "nobody unknown was seen entering at garage",
    ]


def test_the_unknown_must_be_at_the_other_camera(event: Event) -> None:
    events = [
        event("person_enter", "lobby", name="Ada"),
        event("unknown_enter", "lobby", track=2),
    ]
    assert faults(events, EXPECTED) == ["nobody unknown was seen entering at garage"]


def test_an_update_is_no_enter(event: Event) -> None:
    events = [event("person_update", "lobby", name="Ada"), event("unknown_enter", "garage")]
    assert faults(events, EXPECTED) == ["Ada was not seen entering at lobby"]


def test_the_right_name_at_the_wrong_camera_is_a_fault(
    all_seen: list[MatchEvent], event: Event
) -> None:
    events = [*all_seen, event("person_enter", "garage", track=2, name="Ada")]
    assert faults(events, EXPECTED) == ["someone at garage was named Ada"]


def test_another_name_is_a_fault_said_once(all_seen: list[MatchEvent], event: Event) -> None:
    wrong = [
        event("person_enter", "lobby", track=3, name="Bea", captured_at=AFTER),
        event("person_update", "lobby", track=3, name="Bea"),
    ]
    assert faults(all_seen + wrong, EXPECTED) == ["someone at lobby was named Bea"]


def test_a_second_enter_of_an_appearance_is_a_fault(
    all_seen: list[MatchEvent], event: Event
) -> None:
    events = [*all_seen, event("unknown_enter", "lobby", track=2)]
    assert faults(events, EXPECTED) == ["track 2 at lobby entered 2 times"]


def test_the_same_track_number_after_a_reconnect_is_another_appearance(
    all_seen: list[MatchEvent], event: Event
) -> None:
    events = [*all_seen, event("person_enter", "lobby", track=1, name="Ada", stream_epoch=2)]
    assert faults(events, EXPECTED) == []


def test_an_appearance_that_ends_without_an_enter_is_a_fault(
    all_seen: list[MatchEvent], event: Event
) -> None:
    events = [*all_seen, event("unknown_exit", "garage", track=7)]
    assert faults(events, EXPECTED) == ["track 7 at garage left and never entered"]


def test_one_passing_in_two_tracks_is_a_fault(all_seen: list[MatchEvent], event: Event) -> None:
    soon = "2026-11-01T12:00:17.900000Z"
    events = [*all_seen, event("person_enter", "lobby", track=3, name="Ada", captured_at=soon)]
    assert faults(events, EXPECTED) == ["tracks 2 and 3 at lobby are one appearance"]


def test_a_track_that_is_named_late_is_no_fault(all_seen: list[MatchEvent], event: Event) -> None:
    late = [
        event("unknown_enter", "lobby", track=3, captured_at=AFTER),
        event("unknown_exit", "lobby", track=3, captured_at=AFTER),
        event("person_enter", "lobby", track=3, name="Ada", captured_at=AFTER),
        event("person_exit", "lobby", track=3, name="Ada", captured_at=AFTER),
    ]
    assert faults(all_seen + late, EXPECTED) == []


def test_a_stranger_who_is_named_late_is_a_fault(all_seen: list[MatchEvent], event: Event) -> None:
    events = [*all_seen, event("person_enter", "garage", track=1, name="Ada")]
    assert faults(events, EXPECTED) == ["someone at garage was named Ada"]
