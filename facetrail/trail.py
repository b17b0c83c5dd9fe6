"""The way somebody went: their events, and the visits these make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec
import redis

from facetrail.events import MatchEvent, readable
from facetrail.sightings import Sighting
from facetrail.store import Keys

#: Events read in one step.
CHUNK = 500
ENTERS = ("person_enter", "unknown_enter")
EXITS = ("person_exit", "unknown_exit")


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """From an enter to its exit at one camera.

    unknown: the id of a stranger, who may have got a name since. entered_at, left_at: ISO 8601,
    UTC; None for an enter the stream has no more, and for who has not left yet. seconds:
    between. snapshot: of the newer of the two events.
    """

    camera: str
    zones: tuple[str, ...]
    stream_epoch: int | None
    track: int | None
    unknown: str | None
    entered_at: str | None
    left_at: str | None
    seconds: float | None
    snapshot: str | None


def events_of(client: redis.Redis, keys: Keys, owner: str) -> Iterator[MatchEvent]:
    """The events of a person or a stranger that the stream still has, the oldest first."""
    sequences = [place.decode() for place in client.zrange(keys.seen(owner), 0, -1)]
    for at in range(0, len(sequences), CHUNK):
        with client.pipeline(transaction=False) as pipe:
            for sequence in sequences[at : at + CHUNK]:
                pipe.xrange(keys.events, sequence, sequence)
            found = pipe.execute()
        for entries in found:
            for place, fields in entries:
                event = readable(fields.get(b"event", b""), place.decode())
                if event is not None:
                    yield event


def visits(events: Iterable[MatchEvent], seen: Iterable[Sighting] = ()) -> list[Visit]:
    """In order of time. seen: may tell of visits whose events the stream has no more."""
    found: dict[tuple[str, str, bool], list[MatchEvent]] = {}
    for event in events:
        if event.type in (*ENTERS, *EXITS):
            # Enter and exit of one appearance have one id but for the type.
            track, _, appearance = event.id.rsplit("/", 2)
            found.setdefault((track, appearance, event.person is None), []).append(event)
    made = [_visit(own) for own in found.values()]
    told = {(visit.camera, visit.stream_epoch, visit.track) for visit in made}
    made += [_seen(one) for one in seen if (one.camera, one.stream_epoch, one.track) not in told]
    return sorted(made, key=lambda visit: visit.entered_at or visit.left_at or "")


def _seen(sighting: Sighting) -> Visit:
    """From the first chip to the last that was better than all before, or the exit."""
    return Visit(
        camera=sighting.camera,
        zones=sighting.zones,
        stream_epoch=sighting.stream_epoch,
        track=sighting.track,
        unknown=sighting.stranger,
        entered_at=sighting.first_at,
        left_at=sighting.last_at,
        seconds=_seconds(sighting.first_at, sighting.last_at),
        snapshot=sighting.snapshot,
    )


def _seconds(first: str, last: str) -> float:
    begin, end = (datetime.fromisoformat(stamp) for stamp in (first, last))
    return max(0.0, (end - begin).total_seconds())


def _visit(events: list[MatchEvent]) -> Visit:
    newest = events[-1]
    enter = next((event for event in events if event.type in ENTERS), None)
    leave = next((event for event in events if event.type in EXITS), None)
    seconds = _seconds(enter.captured_at, leave.captured_at) if enter and leave else None
    return Visit(
        camera=newest.camera,
        zones=newest.zones,
        stream_epoch=newest.stream_epoch,
        track=newest.track,
        unknown=newest.unknown,
        entered_at=enter.captured_at if enter else None,
        left_at=leave.captured_at if leave else None,
        seconds=seconds,
        snapshot=newest.snapshot,
    )
