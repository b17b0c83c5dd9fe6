"""What a vote is told: all that one chip says, in the words of the script."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

import msgspec

from facetrail.events import EventBox, Person, RunnerUp, iso
from facetrail.snapshots import Snapshot
from facetrail.wire import FaceChip, Quality, TrackEnded
from index.face_index import Candidate
from workers.recognise import Judgement


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What an event says of its face; the fields of `facetrail.events.MatchEvent`."""

    camera: str
    zones: tuple[str, ...]
    stream_epoch: int
    track: int
    similarity: float | None
    distance: float | None
    threshold: float
    margin: float | None
    encoder: str
    index_position: str
    box: EventBox
    quality: Quality
    worker: str


class Shot(msgspec.Struct, frozen=True, kw_only=True):
    """What a sighting says of its best chip; fields of `facetrail.sightings.Sighting`."""

    camera: str
    zones: tuple[str, ...]
    stream_epoch: int
    track: int
    threshold: float
    quality: Quality
    encoder: str


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """By what the chips of a batch were judged.

    ignored: ids of people who are known and not reported.
    """

    encoder: str
    threshold: float
    index_position: str
    people: Mapping[str, Person]
    ignored: Container[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the script, which may have to be made again."""

    track: str
    arguments: Mapping[str, object]
    picture: bytes = b""
    encoding: bytes = b""
    found: Mapping[str, object] = field(default_factory=dict)


def chip_call(chip: FaceChip, judgement: Judgement, context: Context, *, worker: str) -> Call:
    """What one chip says of its track."""
    person = context.people.get(judgement.person) if judgement.person else None
    arguments = {
        "op": "chip",
        "number": chip.number,
        "person": person.id if person else "",
        "named": _json(person),
        "weight": judgement.weight,
        "captured_at": iso(chip.captured_at),
        "facts": _json(_facts(chip, judgement, context, worker)),
        "runner_up": _json(_runner_up(judgement)),
        "shot": _json(_shot(chip, context)),
        "ignored": person is not None and person.id in context.ignored,
    }
    return Call(
        track_of(chip),
        arguments,
        msgspec.msgpack.encode(Snapshot(chip.jpeg, chip.context)),
        b"" if judgement.encoding is None else judgement.encoding.astype("<f4").tobytes(),
    )


def skip_call(chip: FaceChip, reason: str) -> Call:
    """That a chip says nothing. reason: what it counts as."""
    return Call(track_of(chip), {"op": "skip", "number": chip.number, "reason": reason})


def end_call(ended: TrackEnded) -> Call:
    """That a track has ended, after so many chips."""
    arguments = {"op": "end", "sent": ended.chips_sent, "ended_at": iso(ended.ended_at)}
    return Call(track_of(ended), arguments)


def _facts(chip: FaceChip, judgement: Judgement, context: Context, worker: str) -> Facts:
    nearest = judgement.nearest
    return Facts(
        camera=chip.camera,
        zones=chip.zones,
        stream_epoch=chip.stream_epoch,
        track=chip.track,
        similarity=similarity(nearest) if nearest else None,
        distance=nearest.distance if nearest else None,
        threshold=context.threshold,
        margin=judgement.margin,
        encoder=context.encoder,
        index_position=context.index_position,
        box=EventBox(pixels=chip.box, normalised=_normalised(chip)),
        quality=chip.quality,
        worker=worker,
    )


def similarity(candidate: Candidate) -> float:
    """The cosine of unit encodings at that Euclidean distance."""
    return 1.0 - candidate.distance**2 / 2.0


def _runner_up(judgement: Judgement) -> RunnerUp | None:
    second = judgement.runner_up
    return RunnerUp(id=second.person, similarity=similarity(second)) if second else None


def _shot(chip: FaceChip, context: Context) -> Shot:
    return Shot(
        camera=chip.camera,
        zones=chip.zones,
        stream_epoch=chip.stream_epoch,
        track=chip.track,
        threshold=context.threshold,
        quality=chip.quality,
        encoder=context.encoder,
    )


def track_of(item: FaceChip | TrackEnded) -> str:
    """camera/stream/number"""
    return f"{item.camera}/{item.stream_epoch}/{item.track}"


def _normalised(chip: FaceChip) -> tuple[float, float, float, float]:
    """The box in shares of the frame, cut at its edges: 0 to 1."""
    frame_width, frame_height = chip.frame_size
    x, y, width, height = chip.box
    left, right = _share(x, frame_width), _share(x + width, frame_width)
    top, bottom = _share(y, frame_height), _share(y + height, frame_height)
    return left, top, right - left, bottom - top


def _share(at: float, whole: int) -> float:
    return min(1.0, max(0.0, at / whole))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
