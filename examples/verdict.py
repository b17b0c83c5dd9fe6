"""Did the demo show what it set out to show?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from facetrail.events import MatchEvent

ENTERS = ("person_enter", "unknown_enter")


@dataclass(frozen=True, slots=True)
class Expected:
    """person: who is enrolled, and passes at person_at; a stranger passes at stranger_at."""

    person: str
    person_at: str
    stranger_at: str


def faults(events: Sequence[MatchEvent], expected: Expected) -> list[str]:
    """What is wrong with the events, a clause each; none if all was seen."""
    return [
        *_unseen(events, expected),
        *_wrong_names(events, expected),
        *_entered_again(events),
    ]


def _unseen(events: Sequence[MatchEvent], expected: Expected) -> list[str]:
    found = []
    if not any(event.type == "person_enter" and _is_right(event, expected) for event in events):
        found.append(f"{expected.person} was not seen entering at {expected.person_at}")
    if ("unknown_enter", expected.stranger_at) not in {(e.type, e.camera) for e in events}:
        found.append(f"nobody unknown was seen entering at {expected.stranger_at}")
    return found


def _wrong_names(events: Sequence[MatchEvent], expected: Expected) -> list[str]:
    wrong = {
        (event.camera, event.person.name)
        for event in events
        if event.person and not _is_right(event, expected)
    }
    return [f"someone at {camera} was named {name}" for camera, name in sorted(wrong)]


def _is_right(event: MatchEvent, expected: Expected) -> bool:
    return event.person is not None and (event.person.name, event.camera) == (
        expected.person,
        expected.person_at,
    )


def _entered_again(events: Sequence[MatchEvent]) -> list[str]:
    entered = Counter(_track(event) for event in events if event.type in ENTERS)
    left = {_track(event) for event in events if event.type in ("person_exit", "unknown_exit")}
    again = [
        f"track {track} at {camera} entered {times} times"
        for (camera, _, track), times in entered.items()
        if times > 1
    ]
    never = [
        f"track {track} at {camera} left and never entered"
        for camera, _, track in left - set(entered)
    ]
    return again + sorted(never)


def _track(event: MatchEvent) -> tuple[str, int | None, int | None]:
    return event.camera, event.stream_epoch, event.track
