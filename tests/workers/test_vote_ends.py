"""A vote closes once: when all is counted, when its time is up, or when nobody is left."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import redis

from facetrail.sightings import expire
from facetrail.store import Keys
from facetrail.wire import FaceChip, TrackEnded
from tests.workers.conftest import (
    ADA,
    CONFIRM,
    EPOCH,
    UNKNOWN,
    Said,
    Votes,
    VotesOf,
    chip,
    chips,
    count,
    ended,
    kinds,
)
from workers.vote import GRACE_MS, ORPHAN_S, PATIENCE_MS, SILENT_S

TRACK = f"lobby/{EPOCH}/1".encode()


def test_the_exit_comes_with_the_last_chip(votes: Votes, said: Said) -> None:
    # Given the end of a track of five, which overtook two of its chips
    count(votes, chips(CONFIRM), ADA)
    votes.end(ended(5))
    count(votes, [chip(4)], ADA)
    assert kinds(said()) == ["person_enter"]

    count(votes, [chip(5)], ADA)

    assert kinds(said()) == ["person_enter", "person_exit"]
    assert said()[1].captured_at == "2027-01-15T08:00:10.000000Z"


def test_the_end_may_come_before_any_chip(votes: Votes, said: Said) -> None:
    votes.end(ended(CONFIRM))
    votes.sweep()
    count(votes, chips(CONFIRM), ADA)
    assert kinds(said()) == ["person_enter", "person_exit"]


def test_a_named_track_waits_a_grace_for_its_last_chips(
    votes: Votes, said: Said, later: Callable[[float], None]
) -> None:
    count(votes, chips(CONFIRM), ADA)
    votes.end(ended(CONFIRM + 1))
    later(GRACE_MS / 1000 - 1)
    votes.sweep()
    assert kinds(said()) == ["person_enter"]
    later(1.1)
    votes.sweep()
    votes.sweep()
    assert kinds(said()) == ["person_enter", "person_exit"]


def test_a_nameless_track_waits_for_what_a_dead_worker_held(
    votes_of: VotesOf, said: Said, later: Callable[[float], None]
) -> None:
    # Given a track that ended, half of whose chips are with a dead worker
    votes = votes_of(redelivery_s=10)
    count(votes, chips(CONFIRM - 1), ADA)
    votes.end(ended(CONFIRM))
    later(10)
    votes.sweep()

    # If they come again, I expect her to be named
    count(votes, [chip(CONFIRM)], ADA)
    assert kinds(said()) == ["person_enter", "person_exit"]

    # and if they don't, the vote to close without a word
    count(votes, chips(CONFIRM - 1, track=2), ADA)
    votes.end(ended(CONFIRM, track=2))
    later(10 + PATIENCE_MS / 1000 + 0.1)
    votes.sweep()
    count(votes, [chip(CONFIRM, track=2)], ADA)
    assert kinds(said()) == ["person_enter", "person_exit"]


def test_late_chips_change_nothing_and_are_counted(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    count(votes, chips(CONFIRM), ADA)
    votes.end(ended(CONFIRM))
    count(votes, chips(CONFIRM + 2), None)
    votes.end(ended(CONFIRM))
    assert kinds(said()) == ["person_enter", "person_exit"]
    count(
        votes, chips(CONFIRM + 2), None
    )  # they come again: each counts once, as what it was first
    assert client.hgetall(keys.counters) == {b"recognised": b"%d" % CONFIRM, b"late": b"2"}


def test_votes_that_cant_be_closed_hold_up_no_other_and_are_told_once(
    votes: Votes,
    said: Said,
    later: Callable[[float], None],
    client: redis.Redis,
    keys: Keys,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Given two tracks that something has spoiled, before others that are due or silent
    for track, spoiled in ((1, keys.closing_tracks), (2, keys.open_tracks)):
        client.set(keys.vote(f"lobby/{EPOCH}/{track}"), "no hash")
        client.zadd(spoiled, {f"lobby/{EPOCH}/{track}": 10**6})
    votes.end(ended(CONFIRM + 1, track=3))
    count(votes, chips(CONFIRM, track=3), ADA)
    count(votes, chips(CONFIRM, track=4), ADA)
    later(ORPHAN_S + 1)

    votes.sweep()
    votes.sweep()

    assert kinds(said()) == ["person_enter"] * 2 + ["person_exit"] * 2
    told = capsys.readouterr().out
    assert told.count("vote not closed") == 2
    assert all(told.count(f"track=lobby/{EPOCH}/{track}") == 1 for track in (1, 2))

    # and one whose stranger's best shot is spoiled, which no script objects to
    client.delete(keys.open_tracks, keys.closing_tracks)
    dead = f"lobby/{EPOCH}/5"
    shot = {"shot:": "no JSON", "encoding:": "short", "facts:": "{}", "judged": UNKNOWN}
    client.hset(keys.vote(dead), mapping={"state": "open", **shot})
    client.zadd(keys.closing_tracks, {dead: 1})
    votes.sweep()
    assert f"track={dead}" in capsys.readouterr().out


def test_a_redis_that_takes_no_writes_ends_the_sweep(
    votes: Votes, client: redis.Redis, later: Callable[[float], None]
) -> None:
    count(votes, chips(CONFIRM), ADA)
    votes.end(ended(CONFIRM + 1))
    later(GRACE_MS)
    client.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(redis.RedisError, match="READONLY|read only"):
            votes.sweep()
    finally:
        client.replicaof("NO", "ONE")


@pytest.mark.parametrize("person", [ADA, None])
def test_a_track_of_a_camera_nobody_reads_is_closed(
    person: object,
    votes: Votes,
    said: Said,
    later: Callable[[float], None],
    client: redis.Redis,
    keys: Keys,
) -> None:
    # Given a track whose ingest died: no end, and no lease of its camera
    count(votes, chips(UNKNOWN), ADA if person else None)
    later(ORPHAN_S - 1)
    votes.sweep()
    assert len(said()) == 1

    # I expect it to be closed once it has been silent, and not before
    later(1.1)
    votes.sweep()
    votes.sweep()
    assert kinds(said())[1:] == ["person_exit" if person else "unknown_exit"]


def test_a_track_of_a_camera_that_is_read_is_kept(
    votes: Votes, said: Said, later: Callable[[float], None], client: redis.Redis, keys: Keys
) -> None:
    client.set(keys.lease("lobby"), "an ingest process")
    count(votes, chips(CONFIRM), ADA)
    later(SILENT_S - 1)
    votes.sweep()
    assert kinds(said()) == ["person_enter"]

    # but not for ever: its stream may be another one by now
    later(1.1)
    votes.sweep()
    assert kinds(said()) == ["person_enter", "person_exit"]


def test_a_track_that_is_heard_of_is_no_orphan(
    votes: Votes, said: Said, later: Callable[[float], None]
) -> None:
    count(votes, chips(CONFIRM), ADA)
    later(ORPHAN_S - 1)
    count(votes, [chip(CONFIRM + 1)], ADA)
    later(ORPHAN_S - 1)
    votes.sweep()
    assert kinds(said()) == ["person_enter"]


def test_an_orphan_waits_for_what_a_dead_worker_held(
    votes_of: VotesOf, said: Said, later: Callable[[float], None]
) -> None:
    # Given a camera and a worker that died together, with a redelivery slower than usual
    votes = votes_of(redelivery_s=20)
    count(votes, chips(CONFIRM - 1), ADA)
    later(20)
    votes.sweep()
    count(votes, [chip(CONFIRM)], ADA)
    assert kinds(said()) == ["person_enter"]
    later(20 + PATIENCE_MS / 1000 + 0.1)
    votes.sweep()
    assert kinds(said()) == ["person_enter", "person_exit"]


@pytest.mark.parametrize("camera", ["a/b/c", 'q"u\\o', "Tür {1}", "x/1/1"])
def test_a_sweep_knows_the_camera_whatever_its_name(
    camera: str,
    votes: Votes,
    said: Said,
    later: Callable[[float], None],
    client: redis.Redis,
    keys: Keys,
) -> None:
    client.set(keys.lease(camera), "an ingest process")
    count(votes, chips(CONFIRM, camera=camera), ADA)
    later(ORPHAN_S + 1)
    votes.sweep()
    assert kinds(said()) == ["person_enter"]
    client.delete(keys.lease(camera))
    votes.sweep()
    assert [(event.type, event.camera) for event in said()][1:] == [("person_exit", camera)]


def run(votes: Votes, messages: list[FaceChip | TrackEnded]) -> None:
    for message in messages:
        if isinstance(message, TrackEnded):
            votes.end(message)
        else:
            count(votes, [message], ADA)


@pytest.mark.parametrize("closed_by", ["chip", "end", "sweep"])
def test_nothing_of_a_closed_track_stays_for_ever(
    closed_by: str,
    votes: Votes,
    said: Said,
    later: Callable[[float], None],
    client: redis.Redis,
    keys: Keys,
) -> None:
    made: list[FaceChip | TrackEnded] = [*chips(CONFIRM)]
    run(
        votes,
        {"chip": [ended(CONFIRM), *made], "end": [*made, ended(CONFIRM)]}.get(closed_by, made),
    )
    if closed_by == "sweep":
        later(SILENT_S + 1)
        votes.sweep()
    assert kinds(said()) == ["person_enter", "person_exit"]
    run(votes, [chip(1), ended(CONFIRM)])  # too late, or after the sweep the first end

    # I expect all that stays to begin with our prefix and to have an end, but for the events and
    # their places
    everything = set(client.scan_iter())
    lasting = {key.decode() for key in everything if client.ttl(key) == -1} - {keys.counters}
    assert all(key.startswith(keys.prefix.encode()) for key in everything)
    kept = {keys.sightings, keys.sighting_encodings, keys.sighting_ends, keys.sightings_of(ADA.id)}
    assert lasting == {keys.events, keys.seen(ADA.id)} | kept
    assert max(client.ttl(key) for key in everything) <= 86_400

    # and the sighting to end with its time
    client.zincrby(keys.sighting_ends, -101_000, f"lobby/{EPOCH}/1/{ADA.id}")
    expire(client, keys)
    assert not client.exists(*kept)


def test_an_open_track_lasts_an_hour_at_most(votes: Votes, client: redis.Redis, keys: Keys) -> None:
    before = time.time() * 1000
    count(votes, chips(CONFIRM), ADA)
    votes.skip(chip(CONFIRM + 1), "expired")
    votes.end(ended(9))
    track = TRACK.decode()
    assert 0 < client.ttl(keys.vote(track)) <= 3600
    assert 0 < client.ttl(keys.counted(track)) <= 3600
    assert client.zscore(keys.open_tracks, TRACK) == pytest.approx(before, abs=2000)
    assert client.zscore(keys.closing_tracks, TRACK) == pytest.approx(before + GRACE_MS, abs=2000)
