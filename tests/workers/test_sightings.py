"""A sighting is kept of whoever is said to be there, and lives as long as it is to."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest
import redis

from facetrail import snapshots
from facetrail.sightings import Kept, Sighting, every, expire, of
from facetrail.snapshots import Snapshot
from facetrail.store import Keys
from tests.workers.conftest import (
    ADA,
    BEN,
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
    count,
    ended,
    face,
    kinds,
    saying,
)
from workers.vote import SILENT_S

TRACK = f"lobby/{EPOCH}/1"
SeenOf = Callable[[str], list[Kept]]


@pytest.fixture
def seen_of(client: redis.Redis, keys: Keys) -> SeenOf:
    """`seen_of("a0")`: their sightings, the newest first."""
    return lambda owner: of(client, keys, owner)


def sequences(client: redis.Redis, keys: Keys, owner: str) -> list[str]:
    return [place.decode() for place in client.zrange(keys.seen(owner), 0, -1)]


def test_a_sighting_of_a_person_says_where_and_when_and_holds_the_best_shot(
    votes: Votes, seen_of: SeenOf
) -> None:
    # Given three chips of Ada, the second the best
    weights = (0.4, 0.7, 0.5)
    judgements = [saying(ADA, weight, face(i)) for i, weight in enumerate(weights)]
    votes.count(chips(3), judgements, CONTEXT)

    ((kept),) = seen_of(ADA.id)
    assert kept.sighting == Sighting(
        person=ADA.id,
        stranger=None,
        name=f"{TRACK}/a0",
        first_at="2027-01-15T08:00:00.200000Z",
        last_at="2027-01-15T08:00:00.600000Z",
        snapshot=f"{TRACK}/a0",
        camera="lobby",
        zones=("door",),
        stream_epoch=EPOCH,
        track=1,
        threshold=0.37,
        quality=chip().quality,
        encoder=ENCODER,
    )
    assert np.array_equal(kept.numbers, face(1))


def test_it_follows_the_better_shots_and_the_end(
    votes: Votes, seen_of: SeenOf, redis_url: str
) -> None:
    count(votes, chips(CONFIRM), ADA, weight=0.4)
    # If a better chip comes, though not worth an update, and a worse one
    votes.count(chips(5)[3:], [saying(ADA, 0.45, face(7)), saying(ADA, 0.1, face(8))], CONTEXT)
    ((kept),) = seen_of(ADA.id)
    assert np.array_equal(kept.numbers, face(7))
    assert snapshots.get(kept.sighting.name, redis_url) == Snapshot(b"chip 4", b"around chip 4")

    votes.end(ended(5))
    ((kept),) = seen_of(ADA.id)
    assert kept.sighting.last_at == "2027-01-15T08:00:10.000000Z"
    assert np.array_equal(kept.numbers, face(7))


def test_nothing_is_kept_of_whom_nobody_spoke(
    votes: Votes, client: redis.Redis, keys: Keys
) -> None:
    # Given a track of Ada with a chip of Ben's and one of nobody's
    count(votes, chips(CONFIRM), ADA)
    count(votes, [chip(CONFIRM + 1)], BEN, weight=0.1)
    count(votes, [chip(CONFIRM + 2)], None, weight=0.1)
    votes.end(ended(CONFIRM + 2))
    count(votes, chips(UNKNOWN - 1, track=2), None)
    votes.end(ended(UNKNOWN - 1, track=2))
    assert [kept.sighting.name for kept in every(client, keys)] == [f"{TRACK}/a0"]
    assert list(client.scan_iter("*snapshot:*")) == [keys.snapshot(f"{TRACK}/a0").encode()]


def test_each_appearance_of_a_track_has_a_sighting_and_a_picture_of_its_own(
    votes: Votes, seen_of: SeenOf, said: Said, later: Callable[[float], None], redis_url: str
) -> None:
    # Given somebody seen well, then not for long, and then less well
    count(votes, chips(CONFIRM), ADA, weight=0.75)
    later(SILENT_S + 1)
    votes.sweep()
    count(votes, [chip(number) for number in range(CONFIRM + 1, 2 * CONFIRM + 1)], ADA, weight=0.25)

    second, first = (kept.sighting for kept in seen_of(ADA.id))
    assert first.first_at == "2027-01-15T08:00:00.200000Z"
    assert second.first_at == "2027-01-15T08:00:00.800000Z"
    assert [first.name, second.name] == [f"{TRACK}/a0", f"{TRACK}/a0/2"]
    # I expect the picture of the first to be its own still
    shown = [snapshots.get(str(event.snapshot), redis_url) for event in said()]
    assert [picture and picture.chip for picture in shown] == [b"chip 1", b"chip 1", b"chip 4"]


def test_what_was_unknown_and_gets_a_name_is_no_stranger_s(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    count(votes, chips(UNKNOWN), None, weight=0.25)
    (enter,) = said()
    assert enter.unknown is not None and client.exists(keys.snapshot(f"{TRACK}/unknown"))
    count(votes, chips(2 * UNKNOWN)[UNKNOWN:], ADA, weight=0.5)
    votes.end(ended(2 * UNKNOWN))

    # I expect its exit under its id, and nothing of that left
    assert [event.unknown for event in said()] == [enter.unknown, enter.unknown, None, None]
    assert said()[1].snapshot is None
    assert {kept.sighting.person for kept in every(client, keys)} == {ADA.id}
    left = [keys.seen(enter.unknown), keys.sightings_of(enter.unknown)]
    assert not client.exists(*left, keys.snapshot(f"{TRACK}/unknown"))


def test_two_people_who_tie_are_one_stranger_with_the_face_of_either(
    votes: Votes, said: Said, seen_of: SeenOf, redis_url: str
) -> None:
    judgements = [saying(ADA, 0.5, face(1)), saying(BEN, 0.75, face(1))] * 2
    votes.count(chips(5), [*judgements, saying(ADA, 0.5, face(1))], CONTEXT)
    (event,) = said()
    assert event.unknown is not None and event.snapshot == f"{TRACK}/unknown"
    assert snapshots.get(event.snapshot, redis_url) is not None
    ((kept),) = seen_of(event.unknown)
    assert (kept.sighting.person, kept.sighting.name) == (None, f"{TRACK}/unknown")
    assert np.array_equal(kept.numbers, face(1))
    # and the end to find what it needs, whatever became of the two
    votes.end(ended(5))
    assert kinds(said()) == ["unknown_enter", "unknown_exit"]


def test_events_are_noted_with_their_owner(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    count(votes, chips(CONFIRM), ADA)
    votes.end(ended(CONFIRM))
    count(votes, chips(UNKNOWN, track=2), None)
    events = said()
    assert sequences(client, keys, ADA.id) == [event.sequence for event in events[:2]]
    assert sequences(client, keys, str(events[2].unknown)) == [events[2].sequence]
    scores = [score for _, score in client.zrange(keys.seen(ADA.id), 0, -1, withscores=True)]
    assert scores == [int(event.sequence.partition("-")[0]) for event in events[:2]]


def test_what_the_stream_has_no_more_is_forgotten(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys, wait_for: Callable[..., None]
) -> None:
    count(votes, chips(CONFIRM), ADA)
    (first,) = said()
    at = int(first.sequence.partition("-")[0])
    wait_for(lambda: client.time()[0] * 1000 + client.time()[1] // 1000 > at)
    count(votes, chips(CONFIRM, track=2), ADA)
    client.xtrim(keys.events, maxlen=1, approximate=False)
    votes.end(ended(CONFIRM))
    assert first.sequence not in sequences(client, keys, ADA.id)
    assert [event.sequence for event in said()] == sequences(client, keys, ADA.id)


def test_a_sighting_ends_with_its_time_and_a_stranger_with_their_last(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys, seen_of: SeenOf
) -> None:
    # Given Ada and a stranger in two tracks
    count(votes, chips(CONFIRM), ADA)
    for track in (2, 3):
        count(votes, chips(UNKNOWN, track=track), None)
    stranger = str(said()[1].unknown)
    assert len(seen_of(stranger)) == 2
    assert client.ttl(keys.snapshot(f"{TRACK}/a0")) <= 100
    assert 100 < client.ttl(keys.snapshot(f"lobby/{EPOCH}/2/unknown")) <= 1000

    # If hers are to be kept for 100 seconds and the stranger's for 1000
    pass_by(client, keys, 101)
    expire(client, keys)
    assert seen_of(ADA.id) == [] and len(seen_of(stranger)) == 2
    client.zincrby(keys.sighting_ends, -900_000, f"lobby/{EPOCH}/2/unknown")
    expire(client, keys)
    assert [kept.sighting.track for kept in seen_of(stranger)] == [3]
    assert not client.exists(keys.snapshot(f"lobby/{EPOCH}/2/unknown"))
    assert client.exists(keys.seen(stranger))

    # I expect nothing of either to be left in the end
    pass_by(client, keys, 900)
    expire(client, keys)
    assert list(every(client, keys)) == []
    gone = [keys.sightings, keys.sighting_encodings, keys.sighting_ends]
    assert not client.exists(*gone, keys.seen(stranger), keys.sightings_of(stranger))


def pass_by(client: redis.Redis, keys: Keys, seconds: float) -> None:
    for name in client.zrange(keys.sighting_ends, 0, -1):
        client.zincrby(keys.sighting_ends, -seconds * 1000, name)


def test_many_sightings_end_at_once(votes: Votes, client: redis.Redis, keys: Keys) -> None:
    for track in range(1, 451):
        count(votes, chips(CONFIRM, track=track), ADA)
    pass_by(client, keys, 101)
    expire(client, keys)
    assert not client.exists(keys.sightings, keys.sighting_ends, keys.sightings_of(ADA.id))


def test_with_a_life_of_0_strangers_have_no_id_and_nothing_is_kept(
    votes_of: VotesOf, said: Said, client: redis.Redis, keys: Keys
) -> None:
    votes = votes_of(unknown_ttl_s=0)
    count(votes, chips(UNKNOWN), None)
    votes.end(ended(UNKNOWN))
    assert kinds(said()) == ["unknown_enter", "unknown_exit"]
    assert [(event.unknown, event.snapshot) for event in said()] == [(None, None)] * 2
    assert not list(client.scan_iter("*s[ni][ag]*ht*"))
    assert not client.exists(keys.strangers_log)


def test_without_snapshots_strangers_have_ids_and_no_pictures(
    votes_of: VotesOf, said: Said, client: redis.Redis, seen_of: SeenOf
) -> None:
    votes = votes_of(snapshot_ttl_s=0)
    count(votes, chips(UNKNOWN), None)
    count(votes, chips(CONFIRM, track=2), ADA)
    (unknown, known) = said()
    assert unknown.unknown is not None and unknown.snapshot is None
    assert [kept.sighting.snapshot for kept in seen_of(unknown.unknown)] == [None]
    assert known.snapshot is None and seen_of(ADA.id) == []
    assert not list(client.scan_iter("*snapshot:*"))


def test_nothing_is_said_or_kept_of_who_is_ignored(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    ignoring = msgspec.structs.replace(CONTEXT, ignored=frozenset({ADA.id}))
    votes.count(chips(CONFIRM), [saying(ADA, 0.4)] * CONFIRM, ignoring)
    votes.count([chip(CONFIRM + 1)], [saying(ADA, 0.9)], ignoring)
    votes.end(ended(CONFIRM + 1))
    assert said() == [] and list(every(client, keys)) == []
    assert not list(client.scan_iter("*snapshot:*"))

    # I expect others to be reported
    votes.count(chips(CONFIRM, track=2), [saying(BEN)] * CONFIRM, ignoring)
    assert kinds(said()) == ["person_enter"]


def test_who_is_ignored_meanwhile_leaves_and_no_more_is_said(votes: Votes, said: Said) -> None:
    ignoring = msgspec.structs.replace(CONTEXT, ignored=frozenset({ADA.id}))
    votes.count(chips(CONFIRM), [saying(ADA, 0.4)] * CONFIRM, CONTEXT)
    votes.count([chip(CONFIRM + 1)], [saying(ADA, 0.9)], ignoring)
    votes.end(ended(CONFIRM + 1))
    assert kinds(said()) == ["person_enter", "person_exit"]


def test_one_unknown_who_turns_out_to_be_ignored_leaves_and_no_more(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    ignoring = msgspec.structs.replace(CONTEXT, ignored=frozenset({ADA.id}))
    votes.count(chips(UNKNOWN), [saying(None, 0.1)] * UNKNOWN, ignoring)
    made = chips(UNKNOWN + CONFIRM)
    votes.count(made[UNKNOWN:], [saying(ADA, 0.9)] * CONFIRM, ignoring)
    votes.end(ended(UNKNOWN + CONFIRM))
    assert kinds(said()) == ["unknown_enter", "unknown_exit"]
    assert list(every(client, keys)) == []


def test_whoever_was_erased_is_nobody(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    # Given chips that name Ada, judged before she was erased
    client.set(keys.erased(ADA.id), 1)
    count(votes, chips(UNKNOWN), ADA)
    votes.end(ended(UNKNOWN))
    assert kinds(said()) == ["unknown_enter", "unknown_exit"]
    assert not any(ADA.id in event.json() or ADA.name in event.json() for event in said())
    assert not client.exists(keys.seen(ADA.id), keys.sightings_of(ADA.id))
    assert {kept.sighting.person for kept in every(client, keys)} == {None}


@pytest.mark.parametrize("before", [CONFIRM - 1, CONFIRM])
def test_of_whoever_is_erased_meanwhile_nothing_more_is_said_or_left(
    before: int, votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    # Given a track that names her in part, or has named her
    count(votes, chips(before), ADA)
    told = len(said())
    client.set(keys.erased(ADA.id), 1)
    made = chips(before + CONFIRM)
    count(votes, made[before:], ADA)
    votes.end(ended(before + CONFIRM))

    # I expect her name and id nowhere but in what was said before
    events = said()[told:]
    assert {event.type for event in events} <= {"unknown_enter", "unknown_exit"}
    assert not any(ADA.id in event.json() for event in events)
    assert not client.exists(keys.snapshot(f"{TRACK}/a0"))
    vote = client.hgetall(keys.vote(TRACK))
    assert vote == {b"state": b"closed"}


def test_who_was_erased_is_no_runner_up(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    count(votes, chips(CONFIRM), ADA)
    client.set(keys.erased("c0"), 1)
    votes.end(ended(CONFIRM))
    enter, leave = said()
    assert enter.runner_up is not None and leave.runner_up is None


def test_an_open_vote_forgets_whoever_is_erased(
    votes: Votes, client: redis.Redis, keys: Keys
) -> None:
    count(votes, chips(2), ADA)
    count(votes, [chip(3)], BEN)
    client.set(keys.erased(ADA.id), 1)
    votes.skip(chip(4), "expired")
    left = b" ".join((*client.hgetall(keys.vote(TRACK)), *client.hvals(keys.vote(TRACK))))
    assert b"a0" not in left and b"Ada" not in left and b"b0" in left
    assert not client.exists(keys.snapshot(f"{TRACK}/a0"))
