"""Did the demo show what it set out to show?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from facetrail.events import MatchEvent

ENTERS = ("person_enter", "unknown_enter")
EXITS = ("person_exit", "unknown_exit")
#: How the events of a track begin whose person was known later than it was seen.
NAMED_LATE = ["unknown_enter", "unknown_exit", "person_enter"]
#: Camera, epoch of its stream, number.
Track = tuple[str, int | None, int | None]


@dataclass(frozen=True, slots=True)
class Expected:
    """person: who is enrolled, and passes at person_at; a stranger passes at stranger_at.

    every_s: how long it is from one passing to the next.
    """

    person: str
    person_at: str
    stranger_at: str
    every_s: float


def faults(events: Sequence[MatchEvent], expected: Expected) -> list[str]:
    """What is wrong with the events, a clause each; none if all was seen."""
    return [
        *_unseen(events, expected),
        *_wrong_names(events, expected),
        *_entered_again(events),
        *_split(events, expected),
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
    entered.subtract(_named_late(events))
    left = {_track(event) for event in events if event.type in EXITS}
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


def _named_late(events: Sequence[MatchEvent]) -> list[Track]:
    kinds: dict[Track, list[str]] = {}
    for event in events:
        if event.type in ENTERS + EXITS:
            kinds.setdefault(_track(event), []).append(event.type)
    return [track for track, seen in kinds.items() if seen[:3] == NAMED_LATE]


def _split(events: Sequence[MatchEvent], expected: Expected) -> list[str]:
    """Passings of one person that became two tracks: they lie too close to be two."""
    found = []
    latest: dict[tuple[str, str, int | None], MatchEvent] = {}
    for event in events:
        if event.type not in ENTERS:
            continue
        kind = event.type, event.camera, event.stream_epoch
        before = latest.get(kind, event)
        if before.track != event.track and _apart_s(before, event) < expected.every_s / 2:
            found.append(
                f"tracks {before.track} and {event.track} at {event.camera} are one appearance"
            )
        latest[kind] = event
    return found


def _apart_s(one: MatchEvent, other: MatchEvent) -> float:
    first, second = (datetime.fromisoformat(event.captured_at) for event in (one, other))
    return abs((second - first).total_seconds())


def _track(event: MatchEvent) -> Track:
    return event.camera, event.stream_epoch, event.track
