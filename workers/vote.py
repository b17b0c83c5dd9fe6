"""One name per track: the vote, kept in Redis, so that any worker may take any chip."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import redis
import structlog

from facetrail.errors import BadEncodings
from facetrail.events import PUBLISH_LUA, REMEMBERED_S, iso
from facetrail.sightings import SIGHTINGS_LUA, names
from facetrail.store import Keys
from facetrail.wire import FaceChip, TrackEnded
from workers.away import is_away
from workers.call import Call, Context, Shot, chip_call, end_call, skip_call
from workers.recognise import Judgement
from workers.strangers import Found, Strangers

#: For chips still on their way when a track with a name has ended.
GRACE_MS = 2_000
#: Added to the redelivery time while a track has no name yet, for what a dead worker held.
PATIENCE_MS = 3_000
#: A track nobody heard of for so long, whose camera nobody reads, has ended; but not before
#: what a dead worker held could come again.
ORPHAN_S = 10
#: Of so many tracks and people a worker remembers the best chip that it has seen.
MOST_REMEMBERED = 20_000
#: One nobody heard of for so long has ended whoever reads its camera.
SILENT_S = 60

_OWN = ("vote_state.lua", "vote_words.lua", "vote.lua")
_VOTE = "".join(
    (PUBLISH_LUA, SIGHTINGS_LUA, *(Path(__file__).with_name(name).read_text() for name in _OWN))
)

log = structlog.get_logger(__name__)


class Votes:
    """Counts judgements and says events; the script decides, in one step.

    confirm, unknown: chips before a name, or the lack of one, is said. strangers: gives an id
    to who is unknown.
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
        unknown_ttl_s: int,
        redelivery_s: int,
        strangers: Strangers,
    ) -> None:
        self._client = client
        self._keys = keys
        self._worker = worker
        self.strangers = strangers
        patience = redelivery_s * 1000 + PATIENCE_MS
        self._orphan_ms = max(ORPHAN_S * 1000, patience)
        self._silent_ms = max(SILENT_S * 1000, patience)
        self._best: dict[tuple[str, str], float] = {}  # weights of chips, by track and person
        self._stuck: set[bytes] = set()  # tracks that could not be closed when last tried
        always = {
            "published": keys.published(""),
            "history": history,
            "remember": REMEMBERED_S,
            "confirm": confirm,
            "unknown": unknown,
            "person_ttl": snapshot_ttl_s,
            "unknown_ttl": unknown_ttl_s,
            "pictures": snapshot_ttl_s > 0,
            "keys": names(keys),
            "grace": GRACE_MS,
            "patience": patience,
        }
        # Part of the script, so that it need not be sent and read with each call.
        self._script = client.register_script(f"local ALWAYS = {lua(always)}\n{_VOTE}")

    def count(
        self, chips: Sequence[FaceChip], judgements: Sequence[Judgement], context: Context
    ) -> None:
        """Adds chips to the votes of their tracks. What was counted before changes nothing.

        Those that come after the vote has closed are counted as late.
        """
        self._raised(
            [
                chip_call(chip, judgement, context, worker=self._worker)
                for chip, judgement in zip(chips, judgements, strict=True)
            ]
        )

    def skip(self, chip: FaceChip, reason: str) -> None:
        """Counts a chip that says nothing, so that its track need not wait for it."""
        self._raised([skip_call(chip, reason)])

    def end(self, ended: TrackEnded) -> None:
        """A track's last word: its vote closes once all chips are counted, or after a while."""
        self._raised([end_call(ended)])

    def run(self, calls: Sequence[Call]) -> list[Exception | None]:
        """Makes calls in their order and in one round trip; what each failed with.

        Raises RedisError where Redis is away: then they may be made again.
        """
        answers = self._answers([self._bared(call) for call in calls])
        wanted = [place for place, answer in enumerate(answers) if answer == b"picture"]
        if wanted:
            for place, answer in zip(
                wanted, self._answers([calls[place] for place in wanted]), strict=True
            ):
                answers[place] = answer
        errors = [answer if isinstance(answer, Exception) else None for answer in answers]
        last = {call.track: place for place, call in enumerate(calls)}
        for place in last.values():
            if errors[place] is None:
                errors[place] = self._settled(calls[place], answers[place])
        return errors

    def _answers(self, calls: Sequence[Call]) -> list[Any]:
        """Of the script, or what it failed with. Raises RedisError where Redis is away."""
        with self._client.pipeline(transaction=False) as pipe:
            for call in calls:
                self._run(pipe, call)
            answers: list[Any] = pipe.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, redis.RedisError) and is_away(answer):
                raise answer
        return answers

    def _bared(self, call: Call) -> Call:
        """Without the picture, if a better chip of that person in that track was seen here.

        The script asks for it where that is not so.
        """
        if not call.picture:
            return call
        key = (call.track, str(call.arguments["person"]))
        weight = float(str(call.arguments["weight"]))
        if self._best.get(key, -1.0) >= weight:
            return replace(call, arguments={**call.arguments, "bare": True}, picture=b"")
        if len(self._best) >= MOST_REMEMBERED:
            self._best.clear()
        self._best[key] = weight
        return call

    def _raised(self, calls: Sequence[Call]) -> None:
        for error in self.run(calls):
            if error is not None:
                raise error

    def sweep(self) -> None:
        """Closes the votes whose time is up, and ends what nobody speaks of any more.

        One that can't be closed, as its data is spoiled, is left to whoever mends it.
        """
        seconds, microseconds = self._client.time()
        now = seconds * 1000 + microseconds // 1000
        due = self._client.zrangebyscore(self._keys.closing_tracks, 0, now)
        failed = {track for track in due if not self._is_closed(track, self._close_due)}
        silent = self._client.zrangebyscore(self._keys.open_tracks, 0, now - self._orphan_ms)
        failed |= {track for track in silent if not self._is_closed(track, self._close_orphan)}
        self._stuck = failed

    def _is_closed(self, track: bytes, close: Callable[[str], None]) -> bool:
        """False, and a word in the log the first time, where something fails that will again."""
        try:
            close(track.decode())
        except (redis.ResponseError, msgspec.MsgspecError, BadEncodings, ValueError) as error:
            if isinstance(error, redis.ResponseError) and is_away(error):
                raise
            if track not in self._stuck:
                log.exception("vote not closed", track=track.decode(errors="replace"))
            return False
        return True

    def _close_due(self, track: str) -> None:
        self._close(track, "due")

    def _close_orphan(self, track: str) -> None:
        """The script looks again: a chip may have come since."""
        lease = self._client.exists(self._keys.lease(_camera_of(track)))
        self._close(track, "orphan", silent=self._silent_ms if lease else self._orphan_ms)

    def _close(self, track: str, op: str, *, silent: int = 0) -> None:
        self._say(track, op=op, silent=silent)

    def _say(self, track: str, **arguments: object) -> None:
        call = Call(track, arguments)
        self._settle(call, self._run(self._client, call))

    def _settled(self, call: Call, answer: bytes | list[bytes]) -> Exception | None:
        """What settling failed with. Raises RedisError where Redis is away."""
        try:
            self._settle(call, answer)
        except (redis.ResponseError, msgspec.MsgspecError, BadEncodings, ValueError) as error:
            if isinstance(error, redis.ResponseError) and is_away(error):
                raise
            return error
        return None

    def _settle(self, call: Call, answer: bytes | list[bytes]) -> None:
        """Calls again with an id for a stranger, for as long as the script asks for one."""
        refused: Found | None = None
        while isinstance(answer, list):
            found = self._looked_up(*answer[1:])
            if found == refused:  # what the index holds is gone, and nobody told of it
                found = replace(found, stranger=None)
            refused = found
            given = {
                "stranger": found.stranger or "",
                "is_new": found.stranger is None,
                "position": found.position,
            }
            answer = self._run(self._client, replace(call, found=given))

    def _looked_up(self, shot: bytes, encoding: bytes) -> Found:
        seen = msgspec.json.decode(shot, type=Shot)
        numbers = np.frombuffer(encoding, "<f4").astype(np.float32)
        return self.strangers.nearest(numbers, encoder=seen.encoder, threshold=seen.threshold)

    def _run(self, client: redis.Redis, call: Call) -> bytes | list[bytes]:
        """The script's answer; on a pipeline it comes later."""
        track = call.track
        packed = {
            **call.arguments,
            **call.found,
            "track": track,
            "published_at": iso(time.time_ns()),
            "channel": self._keys.channel(_camera_of(track)),
        }
        answer: bytes | list[bytes] = self._script(
            keys=[
                self._keys.vote(track),
                self._keys.counted(track),
                self._keys.open_tracks,
                self._keys.closing_tracks,
                self._keys.events,
                self._keys.counters,
            ],
            args=[msgspec.msgpack.encode(packed), call.picture, call.encoding],
            client=client,
        )
        return answer


def lua(value: object) -> str:
    """A value in Lua's words: a table of names, a text, a number or a truth."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{lua(name)}] = {lua(own)}" for name, own in value.items()) + "}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return '"' + "".join(f"\\{byte:03d}" for byte in str(value).encode()) + '"'


def _camera_of(track: str) -> str:
    return track.rsplit("/", 2)[0]
