"""A stranger has one id at every camera, whoever asks, and however often."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import pytest
import redis

from facetrail import strangers_log
from facetrail.queue_state import counters
from facetrail.sightings import every, expire, hand_over, of
from facetrail.store import Keys
from facetrail.wire import Encodings
from index import face_index, rows
from tests.workers.conftest import (
    ADA,
    BEGAN,
    CONFIRM,
    CONTEXT,
    ENCODER,
    EPOCH,
    UNKNOWN,
    Said,
    Votes,
    VotesOf,
    chip,
    chips,
    ended,
    face,
    kinds,
    saying,
)
from workers import strangers
from workers.call import chip_call, track_of
from workers.strangers import Found, Probe, Strangers
from workers.vote import PATIENCE_MS, SILENT_S


class Dies(Strangers):
    """Of a worker that dies between the script's answer and the next call."""

    def nearest(self, probes: Sequence[Probe]) -> list[Found]:
        raise RuntimeError("killed")


def pass_through(
    votes: Votes, encoding: Encodings, *, track: int = 1, camera: str = "lobby"
) -> None:
    """Somebody unknown comes and goes."""
    made = chips(UNKNOWN, track=track, camera=camera)
    votes.count(made, [saying(None, 0.5, encoding)] * UNKNOWN, CONTEXT)
    votes.end(ended(UNKNOWN, track=track, camera=camera))


def ids(said: Said) -> list[str | None]:
    """Of those who came, in their order."""
    return [event.unknown for event in said() if event.type == "unknown_enter"]


@pytest.fixture
def index(client: redis.Redis, keys: Keys) -> Strangers:
    return Strangers(client, keys, encoder=ENCODER)


def who(index: Strangers, encoding: Encodings) -> str | None:
    (found,) = index.nearest([Probe(encoding, ENCODER, 0.37)])
    return found.stranger


def test_enter_and_exit_say_one_id(votes: Votes, said: Said) -> None:
    pass_through(votes, face(0))
    enter, leave = said()
    assert enter.unknown == leave.unknown
    assert re.fullmatch(r"unknown-[0-9a-f]{4}", str(enter.unknown))
    assert (enter.person, leave.person) == (None, None)


def test_who_comes_back_at_another_camera_has_the_same_id_and_others_have_others(
    votes_of: VotesOf, said: Said
) -> None:
    pass_through(votes_of("one"), face(0))
    pass_through(votes_of("two"), face(0, turned=0.3), camera="yard")
    pass_through(votes_of("two"), face(1), camera="yard", track=2)
    pass_through(votes_of("one"), face(1, turned=0.2), track=3)
    first, again, other, other_again = ids(said)
    assert first == again != other == other_again


def test_the_threshold_of_the_chip_decides(votes: Votes, said: Said) -> None:
    pass_through(votes, face(0))
    near = face(0, turned=0.3)
    strict = msgspec.structs.replace(CONTEXT, threshold=0.1)
    made = chips(UNKNOWN, track=2)
    votes.count(made, [saying(None, 0.5, near)] * UNKNOWN, strict)
    first, other = ids(said)
    assert first != other


def test_two_workers_who_meet_a_new_stranger_at_once_give_one_id(
    votes_of: VotesOf, said: Said
) -> None:
    # Given two workers, and twenty strangers who each come to two cameras at one moment
    workers = {"lobby": votes_of("one"), "yard": votes_of("two")}
    meet = threading.Barrier(2)

    def watch(camera: str) -> None:
        for number in range(20):
            meet.wait(10)
            pass_through(workers[camera], face(number), track=number + 1, camera=camera)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(watch, camera) for camera in workers]:
            done.result(60)

    given = {(event.camera, event.track): event.unknown for event in said()}
    assert len(said()) == 80 and len(given) == 40
    for track in range(1, 21):
        assert given["lobby", track] == given["yard", track] is not None
    assert len(set(given.values())) == 20


def test_strangers_of_one_round_trip_have_an_id_each_and_one_who_is_two_tracks_has_one(
    votes: Votes, said: Said
) -> None:
    # Given a stranger who is known, and a round of four tracks: theirs, of a second in two, a third
    pass_through(votes, face(0), track=1)
    shown = {2: face(0, turned=0.1), 3: face(1), 4: face(2), 5: face(1, turned=0.1)}
    calls = [
        chip_call(one, saying(None, 0.5, encoding), CONTEXT, worker="one")
        for track, encoding in shown.items()
        for one in chips(UNKNOWN, track=track)
    ]

    assert votes.run(calls) == [None] * len(calls)

    first, *others = (event for event in said() if event.type == "unknown_enter")
    found = {event.track: event.unknown for event in others}
    assert found[2] == first.unknown and found[3] == found[5]
    assert len({found[2], found[3], found[4]}) == 3


class Improves(Strangers):
    """While it searches, another worker counts a better chip, which looks like somebody else."""

    meanwhile: Callable[[], None] | None = None

    def nearest(self, probes: Sequence[Probe]) -> list[Found]:
        found = super().nearest(probes)
        if self.meanwhile is not None:
            then, self.meanwhile = self.meanwhile, None
            then()
        return found


def test_an_id_is_of_the_encoding_that_was_searched(
    votes: Votes, votes_of: VotesOf, said: Said, client: redis.Redis, keys: Keys
) -> None:
    # Given two tracks that ask in one round, and are one stranger before they are answered
    other = votes_of("two", snapshot_ttl_s=100)
    searching = Improves(client, keys, encoder=ENCODER)
    better = chip(UNKNOWN + 1, track=1)
    other.strangers = Dies(client, keys, encoder=ENCODER)

    def improve() -> None:
        with pytest.raises(RuntimeError, match="killed"):
            other.count([better], [saying(None, 0.9, face(2))], CONTEXT)

    searching.meanwhile = improve
    votes.strangers = searching
    calls = [
        chip_call(one, saying(None, 0.5, face(track)), CONTEXT, worker="one")
        for track in (1, 2)
        for one in chips(UNKNOWN, track=track)
    ]

    assert votes.run(calls) == [None] * len(calls)
    first, second = ids(said)
    assert first == second


def test_a_call_that_fails_is_none_of_the_others_concern(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    client.set(keys.vote(track_of(chip(track=2))), "no hash")
    calls = [
        chip_call(one, saying(None, 0.5, face(track)), CONTEXT, worker="one")
        for track in (1, 2, 3)
        for one in chips(UNKNOWN, track=track)
    ]
    errors = votes.run(calls)
    assert [error is not None for error in errors] == (
        [False] * UNKNOWN + [True] * UNKNOWN + [False] * UNKNOWN
    )
    assert sorted(str(event.track) for event in said()) == ["1", "3"]
    assert counters(client, keys) == {"recognised": 2 * UNKNOWN}


def test_a_stranger_whose_data_is_spoiled_is_none_of_the_others_concern(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    # Given two tracks that want one chip more, and the encoding of one is spoiled
    for track in (1, 2):
        votes.count(
            chips(UNKNOWN - 1, track=track),
            [saying(None, 0.5, face(track))] * (UNKNOWN - 1),
            CONTEXT,
        )
    spoiled = keys.vote(track_of(chip(track=1)))
    client.hset(spoiled, "encoding:", b"no encoding")
    calls = [
        chip_call(chip(UNKNOWN, track=track), saying(None, 0.4, face(track)), CONTEXT, worker="one")
        for track in (1, 2)
    ]

    errors = votes.run(calls)

    # I expect the error to be told of the one, and the other to be said
    assert isinstance(errors[0], ValueError) and errors[1] is None
    assert [event.track for event in said()] == [2]


def test_no_id_is_given_twice(votes: Votes, said: Said, client: redis.Redis, keys: Keys) -> None:
    # Given a stranger of whom nothing is kept any more, and ids of four digits that end
    pass_through(votes, face(0), track=1)
    client.zadd(keys.sighting_ends, {f"lobby/{EPOCH}/1/unknown": 1})
    expire(client, keys)
    assert list(every(client, keys)) == []
    pass_through(votes, face(0), track=2)
    client.set(keys.strangers_given, 65_534)
    for number in range(1, 4):
        pass_through(votes, face(number), track=number + 2)

    first, again, *last = ids(said)
    assert first != again
    assert [len(stranger) for stranger in last] == [12, 13, 13]
    assert len(set(ids(said))) == 5


def died(votes_of: VotesOf, client: redis.Redis, keys: Keys) -> Votes:
    votes = votes_of("dead")
    votes.strangers = Dies(client, keys, encoder=ENCODER)
    return votes


@pytest.mark.parametrize("by", ["chip", "again", "end", "due", "orphan"])
def test_whoever_calls_next_goes_on_for_a_worker_that_died(
    by: str,
    votes_of: VotesOf,
    said: Said,
    later: Callable[[float], None],
    client: redis.Redis,
    keys: Keys,
) -> None:
    # Given a worker that dies when it is asked for an id
    made, judged = chips(UNKNOWN), [saying(None)] * UNKNOWN
    dead = died(votes_of, client, keys)
    with pytest.raises(RuntimeError):
        dead.count(made, judged, CONTEXT)
    assert said() == []
    if by == "due":
        with pytest.raises(RuntimeError):
            dead.end(ended(UNKNOWN + 1))
        assert said() == []

    # If another hears of the track in any way
    other = votes_of("other")
    if by == "chip":
        other.count([chip(UNKNOWN + 1)], [saying(None)], CONTEXT)
    elif by == "again":
        other.count(made, judged, CONTEXT)
    elif by == "end":
        other.end(ended(UNKNOWN))
    else:
        later(SILENT_S + PATIENCE_MS)
        other.sweep()

    # I expect it to be said once, and the same stranger to be known
    left = by in ("end", "due", "orphan")
    assert kinds(said()) == ["unknown_enter", "unknown_exit"][: 1 + left]
    assert ids(said)[0] is not None
    other.sweep()
    pass_through(other, face(0), track=2)
    assert len(set(ids(said))) == 1
    assert len({event.id for event in said()}) == len(said())


def test_the_last_chip_closes_a_track_whose_worker_died(
    votes_of: VotesOf, said: Said, client: redis.Redis, keys: Keys
) -> None:
    dead = died(votes_of, client, keys)
    dead.end(ended(UNKNOWN))
    made, judged = chips(UNKNOWN), [saying(None)] * UNKNOWN
    with pytest.raises(RuntimeError):
        dead.count(made, judged, CONTEXT)
    votes_of("other").count(made, judged, CONTEXT)
    assert kinds(said()) == ["unknown_enter", "unknown_exit"]


def test_a_better_shot_is_what_others_are_compared_with(
    votes: Votes, said: Said, index: Strangers
) -> None:
    # Given a stranger whom an index knows by now
    votes.count(chips(UNKNOWN), [saying(None, 0.3, face(5))] * UNKNOWN, CONTEXT)
    assert [who(index, face(5))] == ids(said)

    # If a better shot comes, and a worse one
    votes.count([chip(UNKNOWN + 1)], [saying(None, 0.9, face(0))], CONTEXT)
    votes.count([chip(UNKNOWN + 2)], [saying(None, 0.1, face(6))], CONTEXT)
    assert [who(index, face(number)) for number in (0, 5, 6)] == [*ids(said), None, None]


def test_encodings_of_another_encoder_are_not_compared(
    votes: Votes, said: Said, index: Strangers, client: redis.Redis, keys: Keys
) -> None:
    other = msgspec.structs.replace(CONTEXT, encoder="retail0095@00000000")
    votes.count(chips(UNKNOWN), [saying(None)] * UNKNOWN, other)
    votes.count(chips(UNKNOWN, track=2), [saying(None)] * UNKNOWN, CONTEXT)
    first, second = ids(said)
    assert first is not None and second is not None and first != second
    assert who(index, face(0)) == second
    theirs = Strangers(client, keys, encoder="retail0095@00000000")
    (found,) = theirs.nearest([Probe(face(0), "retail0095@00000000", 0.37)])
    assert found.stranger == first


def test_few_of_each_stranger_are_searched_and_the_newest(
    votes: Votes, index: Strangers, client: redis.Redis, keys: Keys
) -> None:
    for track in range(1, strangers.MOST_EACH + 4):
        pass_through(votes, face(0), track=track)
        who(index, face(0))
    assert len(index) == strangers.MOST_EACH
    anew = Strangers(client, keys, encoder=ENCODER)
    anew.load()
    assert len(anew) == strangers.MOST_EACH
    assert len(list(every(client, keys))) == strangers.MOST_EACH + 3


def test_whoever_follows_and_whoever_begins_search_the_same(
    votes: Votes, index: Strangers, client: redis.Redis, keys: Keys
) -> None:
    # Given a stranger whose appearances were counted in another order than they came in
    for track in range(1, 13):
        seen = face(0, turned=track / 100)
        made = chips(UNKNOWN, track=track, captured_at=BEGAN - track * 10**9)
        votes.count(made, [saying(None, 0.5, seen)] * UNKNOWN, CONTEXT)
        votes.end(ended(UNKNOWN, track=track, ended_at=BEGAN - track * 10**9))
        who(index, face(0))

    anew = Strangers(client, keys, encoder=ENCODER)
    anew.load()

    def rows(of: Strangers) -> set[bytes]:
        every = of._index.people()
        return {row.tobytes() for own in every.values() for row in own}

    assert rows(index) == rows(anew)
    assert len(rows(anew)) == strangers.MOST_EACH


def test_votes_go_on_while_an_index_that_has_grown_is_built_aside(
    votes: Votes,
    said: Said,
    index: Strangers,
    wait_for: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given an index that becomes large at 40, and whose codes are slow to make
    go_on = threading.Event()

    class Slow(rows.ScannedRows):
        def __init__(self, encodings: Encodings) -> None:
            assert threading.current_thread().name == "index"
            go_on.wait(300)
            super().__init__(encodings)

    monkeypatch.setattr(rows, "EXACT", 40)
    monkeypatch.setattr(face_index, "EXACT", 40)
    monkeypatch.setattr(rows, "ScannedRows", Slow)
    votes.strangers = index

    # If so many strangers come, I expect everyone to be known again meanwhile
    for number in range(45):
        pass_through(votes, face(number), track=number + 1)
    assert index._index.worn
    assert [who(index, face(number)) for number in range(45)] == ids(said)
    assert len(index) == 45

    # and when it is built
    go_on.set()
    wait_for(lambda: who(index, face(0)) and not index._index.worn)
    assert [who(index, face(number)) for number in range(45)] == ids(said)
    assert who(index, face(60)) is None and len(index) == 45


def test_a_stranger_of_whom_nothing_is_left_is_new(
    votes: Votes, said: Said, index: Strangers, client: redis.Redis, keys: Keys
) -> None:
    pass_through(votes, face(0))
    (first,) = ids(said)
    assert who(index, face(0)) == first
    client.zincrby(keys.sighting_ends, -2_000_000, f"lobby/{EPOCH}/1/unknown")
    expire(client, keys)
    assert who(index, face(0)) is None and len(index) == 0
    pass_through(votes, face(0), track=2)
    assert ids(said)[1] not in (None, first)


def test_an_index_that_missed_entries_is_read_anew(
    votes: Votes, said: Said, index: Strangers, client: redis.Redis, keys: Keys
) -> None:
    # Given an index that stands at an entry which was trimmed, with others behind it
    pass_through(votes, face(0))
    assert who(index, face(0)) is not None
    for number in range(1, 4):
        pass_through(votes, face(number), track=number + 1)
    client.xtrim(keys.strangers_log, maxlen=1, approximate=False)
    assert [who(index, face(number)) for number in range(4)] == ids(said)


def test_a_long_log_is_read_in_steps(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an index that has seen the first of many strangers, and two are read in a step
    monkeypatch.setattr(strangers_log, "MOST_READ", 2)
    index = Strangers(client, keys, encoder=ENCODER)
    pass_through(votes, face(0))
    assert who(index, face(0)) is not None
    for number in range(1, 6):
        pass_through(votes, face(number), track=number + 1)

    # I expect the first question to find all in three steps, and nothing to be read anew
    steps: list[str] = []
    changes = index._log.changes
    monkeypatch.setattr(index._log, "changes", lambda since: steps.append(since) or changes(since))
    monkeypatch.setattr(index, "_load", None)
    found = index.nearest([Probe(face(number), ENCODER, 0.37) for number in range(6)])
    assert [one.stranger for one in found] == ids(said)
    newest = client.xrevrange(keys.strangers_log, count=1)[0][0].decode()
    assert {one.position for one in found} == {newest} and len(steps) == 3


def test_of_a_sighting_without_encoding_the_others_are_searched(
    votes: Votes, said: Said, index: Strangers, client: redis.Redis, keys: Keys
) -> None:
    # Given an index that follows a stranger who was seen twice, of whom the newer encoding is gone
    pass_through(votes, face(0))
    (first,) = ids(said)
    assert who(index, face(0)) == first
    pass_through(votes, face(0), track=2)
    client.hdel(keys.sighting_encodings, f"lobby/{EPOCH}/2/unknown")

    # I expect the older one to be found still
    assert who(index, face(0)) == first and len(index) == 1


def test_an_index_of_a_redis_that_was_flushed_is_read_anew(
    votes: Votes, said: Said, index: Strangers, client: redis.Redis
) -> None:
    pass_through(votes, face(0))
    (before,) = ids(said)
    assert who(index, face(0)) == before
    client.flushdb()

    # I expect nobody to be known, at once and after others have come
    assert who(index, face(0)) is None and len(index) == 0
    pass_through(votes, face(1))
    assert who(index, face(0)) is None and [who(index, face(1))] == ids(said)


def test_an_index_of_a_redis_that_was_restored_is_read_anew(
    votes: Votes, said: Said, index: Strangers, client: redis.Redis, keys: Keys
) -> None:
    # Given a copy of before the second of two strangers
    pass_through(votes, face(0))
    copy = {key: client.dump(key) for key in client.scan_iter()}
    pass_through(votes, face(1), track=2)
    first, second = ids(said)
    assert [who(index, face(0)), who(index, face(1))] == [first, second]

    # If it is restored, and another one comes
    client.flushdb()
    for key, value in copy.items():
        client.restore(key, 0, value)
    assert [who(index, face(0)), who(index, face(1))] == [first, None]
    pass_through(votes, face(2), track=3)
    assert [who(index, face(2))] == ids(said)[1:]
    assert who(index, face(1)) is None


def test_an_index_that_is_told_of_somebody_who_is_gone_ends_with_a_new_id(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    # Given a stranger whose places somebody deleted by hand, without a word in the log
    pass_through(votes, face(0))
    (first,) = ids(said)
    client.delete(keys.sightings_of(str(first)), keys.seen(str(first)))
    pass_through(votes, face(0), track=2)
    assert ids(said)[1] is not None and len(said()) == 4


def test_an_unreadable_encoding_is_left_out(
    votes: Votes, said: Said, index: Strangers, client: redis.Redis, keys: Keys
) -> None:
    pass_through(votes, face(0))
    pass_through(votes, face(1), track=2)
    spoilt = np.full(128, np.nan, "<f4").tobytes()
    client.hset(keys.sighting_encodings, f"lobby/{EPOCH}/1/unknown", spoilt)
    client.hset(keys.sightings, f"lobby/{EPOCH}/3/unknown", "no JSON")
    client.hset(keys.sighting_encodings, f"lobby/{EPOCH}/3/unknown", spoilt)
    index.load()
    assert len(index) == 1 and who(index, face(1)) == ids(said)[1]


def test_a_stranger_with_a_name_is_none_and_their_open_track_is_the_person_s(
    votes: Votes, said: Said, index: Strangers, client: redis.Redis, keys: Keys
) -> None:
    # Given a stranger who is there still
    pass_through(votes, face(0))
    made = chips(UNKNOWN + 1, track=2)
    votes.count(made[:UNKNOWN], [saying(None)] * UNKNOWN, CONTEXT)
    first, again = ids(said)
    assert first == again and first is not None

    # If somebody says who it is
    assert hand_over(client, keys, first, ADA) == 2
    assert who(index, face(0)) is None
    votes.count(made[UNKNOWN:], [saying(None, 0.9)], CONTEXT)
    votes.end(ended(UNKNOWN + 1, track=2))

    # I expect both sightings and all events to be hers
    hers = of(client, keys, ADA.id)
    assert {(kept.sighting.track, kept.sighting.person) for kept in hers} == {(1, "a0"), (2, "a0")}
    assert {kept.sighting.stranger for kept in hers} == {None}
    assert client.zcard(keys.seen(ADA.id)) == len(said()) == 4
    assert not client.exists(keys.sightings_of(first), keys.seen(first))
    assert said()[-1].type == "unknown_exit"


def test_strangers_and_people_do_not_mix(votes: Votes, said: Said, index: Strangers) -> None:
    votes.count(chips(CONFIRM), [saying(ADA, 0.5, face(0))] * CONFIRM, CONTEXT)
    votes.end(ended(CONFIRM))
    assert who(index, face(0)) is None
    pass_through(votes, face(0), track=2)
    assert who(index, face(0)) == ids(said)[0] is not None


def test_whoever_is_gone_is_forgotten_though_nobody_asks(
    votes: Votes, said: Said, index: Strangers, client: redis.Redis, keys: Keys
) -> None:
    pass_through(votes, face(0))
    index.follow()
    assert len(index) == 1
    hand_over(client, keys, str(ids(said)[0]), ADA)
    index.follow()
    assert len(index) == 0
    assert not any(len(part.rows.encodings) for part in index._index._parts)
