"""One name per track: the vote, kept in Redis, so that any worker may take any chip."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from index.codes import NUMBERS
from workers.away import is_away
from workers.call import Call, Shot
from workers.strangers import Found, Probe, Strangers

#: For chips still on their way when a track with a name has ended.
GRACE_MS = 2_000
#: Added to the redelivery time while a track has no name yet, for what a dead worker held.
PATIENCE_MS = 3_000
#: A track nobody heard of for so long, whose camera nobody reads, has ended; but not before
#: what a dead worker held could come again.
ORPHAN_S = 10
#: Of so many tracks and people a worker remembers the best chip that it has counted; 1 MB.
MOST_REMEMBERED = 4_000
#: Calls that are made in one step: a round of `teller`'s, about, with the ends among it. Others
#: wait for Redis meanwhile.
MOST_AT_ONCE = 96
#: One nobody heard of for so long has ended whoever reads its camera.
SILENT_S = 60

_OWN = ("vote_state.lua", "vote_words.lua", "vote.lua")
_VOTE = "".join(
    (PUBLISH_LUA, SIGHTINGS_LUA, *(Path(__file__).with_name(name).read_text() for name in _OWN))
)

log = structlog.get_logger(__name__)


class Votes:
    """Makes calls, by which votes are counted and events said; the script decides, in one step.

    confirm, unknown: chips before a name, or the lack of one, is said. strangers: gives an id
    to who is unknown.
    """

    def __init__(
        self,
        client: redis.Redis,
        keys: Keys,
        *,
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
        self.strangers = strangers
        patience = redelivery_s * 1000 + PATIENCE_MS
        self._orphan_ms = max(ORPHAN_S * 1000, patience)
        self._silent_ms = max(SILENT_S * 1000, patience)
        self._shared_keys = [keys.open_tracks, keys.closing_tracks, keys.events, keys.counters]
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

    def run(self, calls: Sequence[Call]) -> list[Exception | None]:
        """Makes calls in their order and in few round trips; what each failed with.

        Raises RedisError where Redis is away: then they may be made again.
        """
        answers = self._answers(list(self._bared(calls)))
        self._remember(calls, answers)
        wanted = [place for place, answer in enumerate(answers) if answer == b"picture"]
        if wanted:
            whole = [calls[place] for place in wanted]
            asked = self._answers(whole)
            self._remember(whole, asked)
            for place, answer in zip(wanted, asked, strict=True):
                answers[place] = answer
        errors = [answer if isinstance(answer, Exception) else None for answer in answers]
        places = [place for place, answer in enumerate(answers) if isinstance(answer, list)]
        last = {calls[place].track: place for place in places}
        asking = {place: Asking(calls[place], answers[place]) for place in last.values()}
        for place, error in self._settled(asking).items():
            errors[place] = error
        return errors

    def _answers(self, calls: Sequence[Call]) -> list[Any]:
        """Of the script, or what it failed with. Raises RedisError where Redis is away."""
        answers: list[Any] = []
        for start in range(0, len(calls), MOST_AT_ONCE):
            answers += self._run(calls[start : start + MOST_AT_ONCE])
        for answer in answers:
            if isinstance(answer, redis.RedisError) and is_away(answer):
                raise answer
        return answers

    def _bared(self, calls: Sequence[Call]) -> Iterator[Call]:
        """Without the picture, if one as good of that person in that track was counted here, or
        stands before it. Two threads may each bring one: bytes cost less than being asked.

        The script asks for it where it has none as good.
        """
        best: dict[tuple[str, str], float] = {}  # of these calls
        for call in calls:
            if call.picture:
                key, weight = _shown(call)
                if max(best.get(key, -1.0), self._best.get(key, -1.0)) >= weight:
                    arguments = {**call.arguments, "bare": True}
                    call = replace(call, arguments=arguments, picture=b"")
                else:
                    best[key] = weight
            yield call

    def _remember(self, calls: Sequence[Call], answers: Sequence[Any]) -> None:
        """What was counted; not sooner, or a worse chip would come before it, and be asked for.

        What was asked for has shown that there is none as good any more.
        """
        if len(self._best) >= MOST_REMEMBERED:
            self._best.clear()
        for call, answer in zip(calls, answers, strict=True):
            if not call.picture:
                continue
            key, weight = _shown(call)
            if answer == b"picture":
                self._best.pop(key, None)
            elif answer == b"counted" or isinstance(answer, list):
                self._best[key] = max(weight, self._best.get(key, -1.0))

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
        (error,) = self.run([Call(track, {"op": op, "silent": silent})])
        if error is not None:
            raise error

    def _settled(self, asking: Mapping[int, Asking]) -> dict[int, Exception]:
        """What kept strangers from getting ids, by place. Raises RedisError where Redis is away."""
        try:
            self._settle(list(asking.values()))
        except (redis.ResponseError, msgspec.MsgspecError, BadEncodings, ValueError) as error:
            if isinstance(error, redis.ResponseError) and is_away(error):
                raise
            if len(asking) == 1:
                return dict.fromkeys(asking, error)
            # One may be why, and the others none the worse for it.
            alone = [self._settled({place: one}) for place, one in asking.items()]
            return {place: error for one in alone for place, error in one.items()}
        return {}

    def _settle(self, asking: list[Asking]) -> None:
        """Calls again with ids for strangers, for as long as the script asks for some."""
        refused: dict[str, tuple[Found, str]] = {}
        while asking:
            probes = [one.probe() for one in asking]
            chosen = apart(probes)
            nearest = self.strangers.nearest([probes[place] for place in chosen])
            given: list[Call] = []
            for one, found in zip((asking[place] for place in chosen), nearest, strict=True):
                track, searched = one.call.track, one.searched
                if (found, searched) == refused.get(track):
                    # What the index holds is gone, and nobody told of it.
                    found = replace(found, stranger=None)
                refused[track] = found, searched
                given.append(one.given(found))
            answers = self._answers(given)
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
            still = [
                Asking(call, answer)
                for call, answer in zip(given, answers, strict=True)
                if isinstance(answer, list)
            ]
            asking = [one for place, one in enumerate(asking) if place not in chosen] + still

    def _run(self, calls: Sequence[Call]) -> list[Any]:
        keys, store = self._shared_keys.copy(), self._keys
        packed: list[Mapping[str, object]] = []
        bodies: list[bytes] = []
        said = {"published_at": iso(time.time_ns())}
        for call in calls:
            channel = store.channel(_camera_of(call.track))
            own = {"track": call.track, "channel": channel}
            packed.append({**call.arguments, **call.found, **said, **own})
            keys += (store.vote(call.track), store.counted(call.track))
            bodies += (call.picture, call.encoding)
        answers: list[Any] = self._script(keys=keys, args=[msgspec.msgpack.encode(packed), *bodies])
        return answers


@dataclass(frozen=True, slots=True)
class Asking:
    """A call that waits for a stranger's id, and the script's answer that says so."""

    call: Call
    answer: Sequence[bytes]

    @property
    def searched(self) -> str:
        """What the script knows the encoding by."""
        return hashlib.sha1(self.answer[2], usedforsecurity=False).hexdigest()

    def probe(self) -> Probe:
        """Raises MsgspecError, ValueError."""
        _, shot, encoding = self.answer
        seen = msgspec.json.decode(shot, type=Shot)
        numbers = np.frombuffer(encoding, "<f4").reshape(NUMBERS).astype(np.float32)
        return Probe(numbers, seen.encoder, seen.threshold)

    def given(self, found: Found) -> Call:
        """The call made again, with what was found for that encoding."""
        told = {
            "stranger": found.stranger or "",
            "is_new": found.stranger is None,
            "position": found.position,
            "searched": self.searched,
        }
        return replace(self.call, found=told)


def apart(probes: Sequence[Probe]) -> list[int]:
    """The places of those that are nobody's whom an earlier one of them may show: two that show
    one new stranger must not get an id each.
    """
    chosen: list[int] = []
    for place, probe in enumerate(probes):
        others = [probes[other] for other in chosen]
        reach = [max(probe.threshold, other.threshold) for other in others]
        far = [float(np.linalg.norm(probe.encoding - other.encoding)) for other in others]
        if all(distance > most for distance, most in zip(far, reach, strict=True)):
            chosen.append(place)
    return chosen


def lua(value: object) -> str:
    """A value in Lua's words: a table of names, a text, a number or a truth."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{lua(name)}] = {lua(own)}" for name, own in value.items()) + "}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return '"' + "".join(f"\\{byte:03d}" for byte in str(value).encode()) + '"'


def _shown(call: Call) -> tuple[tuple[str, str], float]:
    """The track and the person that a chip shows, and how well."""
    return (call.track, str(call.arguments["person"])), float(str(call.arguments["weight"]))


def _camera_of(track: str) -> str:
    return track.rsplit("/", 2)[0]
