"""One name per track: the vote, kept in Redis, so that any worker may take any chip."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import redis

from facetrail.events import PUBLISH_LUA, REMEMBERED_S, EventBox, Person, RunnerUp, iso
from facetrail.snapshots import Snapshot
from facetrail.store import Keys
from facetrail.wire import FaceChip, TrackEnded
from index.face_index import Candidate
from workers.recognise import Judgement

#: For chips still on their way when a track with a name has ended.
GRACE_MS = 2_000
#: Added to the redelivery time while a track has no name yet, for what a dead worker held.
PATIENCE_MS = 3_000
#: A track nobody heard of for so long, whose camera nobody reads, has ended; but not before
#: what a dead worker held could come again.
ORPHAN_S = 10
#: One nobody heard of for so long has ended whoever reads its camera.
SILENT_S = 60

_VOTE = PUBLISH_LUA + Path(__file__).with_name("vote.lua").read_text()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What an event says of its face; the fields of `facetrail.events.MatchEvent`."""

    camera: str
    zones: tuple[str, ...]
    stream_epoch: int
    track: int
    similarity: float | None
    distance: float | None
    threshold: float
    runner_up: RunnerUp | None
    margin: float | None
    encoder: str
    index_position: str
    box: EventBox
    quality: Any
    worker: str
    snapshot: str | None


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """By what the chips of a batch were judged."""

    encoder: str
    threshold: float
    index_position: str
    people: Mapping[str, Person]


class Votes:
    """Counts judgements and says events; the script decides, in one step.

    confirm, unknown: chips before a name, or the lack of one, is said.
    """

    def __init__(
        self,
        client: redis.Redis,
        keys: Keys,
        *,
        worker: str,
        confirm: int,
        unknown: int,
        history: int,
        snapshot_ttl_s: int,
        redelivery_s: int,
    ) -> None:
        self._client = client
        self._keys = keys
        self._worker = worker
        self._snapshot_ttl_s = snapshot_ttl_s
        patience = redelivery_s * 1000 + PATIENCE_MS
        self._orphan_ms = max(ORPHAN_S * 1000, patience)
        self._silent_ms = max(SILENT_S * 1000, patience)
        self._script = client.register_script(_VOTE)
        self._always = {
            "published": keys.published(""),
            "history": history,
            "remember": REMEMBERED_S,
            "confirm": confirm,
            "unknown": unknown,
            "snapshot_ttl": snapshot_ttl_s,
            "grace": GRACE_MS,
            "patience": patience,
        }

    def count(
        self, chips: Sequence[FaceChip], judgements: Sequence[Judgement], context: Context
    ) -> None:
        """Adds chips to the votes of their tracks. What was counted before changes nothing.

        Those that come after the vote has closed are counted as late.
        """
        with self._client.pipeline(transaction=False) as pipe:
            for chip, judgement in zip(chips, judgements, strict=True):
                self._call_chip(pipe, chip, judgement, context)
            late = pipe.execute().count(b"late")
        if late:
            self._client.hincrby(self._keys.counters, "late", late)

    def skip(self, chip: FaceChip) -> None:
        """Counts a chip that says nothing, so that its track need not wait for it."""
        self._call(self._client, _track_of(chip), op="skip", number=chip.number)

    def end(self, ended: TrackEnded) -> None:
        """A track's last word: its vote closes once all chips are counted, or after a while."""
        self._call(
            self._client,
            _track_of(ended),
            op="end",
            sent=ended.chips_sent,
            ended_at=iso(ended.ended_at),
        )

    def sweep(self) -> None:
        """Closes the votes whose time is up, and ends what nobody speaks of any more."""
        seconds, microseconds = self._client.time()
        now = seconds * 1000 + microseconds // 1000
        for track in self._client.zrangebyscore(self._keys.closing_tracks, 0, now):
            self._close(track.decode(), "due")
        silent = self._client.zrangebyscore(self._keys.open_tracks, 0, now - self._orphan_ms)
        for track in silent:
            self._close_orphan(track.decode())

    def _close_orphan(self, track: str) -> None:
        """The script looks again: a chip may have come since."""
        lease = self._client.exists(self._keys.lease(_camera_of(track)))
        self._close(track, "orphan", silent=self._silent_ms if lease else self._orphan_ms)

    def _close(self, track: str, op: str, *, silent: int = 0) -> None:
        self._call(self._client, track, op=op, silent=silent)

    def _call_chip(
        self, pipe: redis.Redis, chip: FaceChip, judgement: Judgement, context: Context
    ) -> None:
        track = _track_of(chip)
        person = context.people.get(judgement.person) if judgement.person else None
        bucket = f"{track}/{person.id if person else 'unknown'}"
        facts = self._facts(chip, judgement, context, bucket if self._snapshot_ttl_s else None)
        self._call(
            pipe,
            track,
            op="chip",
            picture=(
                self._keys.snapshot(bucket),
                msgspec.msgpack.encode(Snapshot(chip.jpeg, chip.context)),
            ),
            number=chip.number,
            person=person.id if person else "",
            named=_json(person),
            weight=judgement.weight,
            captured_at=iso(chip.captured_at),
            facts=_json(facts),
        )

    def _facts(
        self, chip: FaceChip, judgement: Judgement, context: Context, snapshot: str | None
    ) -> Facts:
        nearest, runner_up = judgement.nearest, judgement.runner_up
        return Facts(
            camera=chip.camera,
            zones=chip.zones,
            stream_epoch=chip.stream_epoch,
            track=chip.track,
            similarity=similarity(nearest) if nearest else None,
            distance=nearest.distance if nearest else None,
            threshold=context.threshold,
            runner_up=RunnerUp(id=runner_up.person, similarity=similarity(runner_up))
            if runner_up
            else None,
            margin=judgement.margin,
            encoder=context.encoder,
            index_position=context.index_position,
            box=EventBox(pixels=chip.box, normalised=_normalised(chip)),
            quality=chip.quality,
            worker=self._worker,
            snapshot=snapshot,
        )

    def _call(
        self,
        client: redis.Redis,
        track: str,
        *,
        picture: tuple[str, bytes] | None = None,
        **call: object,
    ) -> None:
        snapshot_key, snapshot = picture or (self._keys.snapshot(track), b"")
        call |= self._always
        call |= {
            "track": track,
            "published_at": iso(time.time_ns()),
            "channel": self._keys.channel(_camera_of(track)),
        }
        self._script(
            keys=[
                self._keys.vote(track),
                self._keys.counted(track),
                self._keys.open_tracks,
                self._keys.closing_tracks,
                self._keys.events,
                snapshot_key,
            ],
            args=[msgspec.msgpack.encode(call), snapshot],
            client=client,
        )


def similarity(candidate: Candidate) -> float:
    """The cosine of unit encodings at that Euclidean distance."""
    return 1.0 - candidate.distance**2 / 2.0


def _track_of(item: FaceChip | TrackEnded) -> str:
    return f"{item.camera}/{item.stream_epoch}/{item.track}"


def _camera_of(track: str) -> str:
    return track.rsplit("/", 2)[0]


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
