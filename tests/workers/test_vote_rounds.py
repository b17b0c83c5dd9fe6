"""A track that fell silent and speaks again, and words at the end of one nobody was sure of."""

from __future__ import annotations

from collections.abc import Callable

import redis

from facetrail.events import MatchEvent
from facetrail.store import Keys
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
    workers_of,
)
from workers.vote import SILENT_S


def test_a_track_that_was_silent_and_lives_on_enters_again(
    votes: Votes, said: Said, later: Callable[[float], None]
) -> None:
    # Given somebody who was named, then not heard of for long, as while Redis was away
    count(votes, chips(CONFIRM), ADA)
    later(SILENT_S + 1)
    votes.sweep()
    assert kinds(said()) == ["person_enter", "person_exit"]

    # If more of the same track comes, and its end
    count(votes, [chip(number) for number in range(CONFIRM + 1, 2 * CONFIRM + 1)], ADA)
    votes.end(ended(2 * CONFIRM))

    # I expect another appearance, whole, under ids of its own
    events = said()
    assert kinds(events) == ["person_enter", "person_exit"] * 2
    assert len({event.id for event in events}) == 4


def test_a_sweep_that_looked_before_the_newest_chip_came_ends_nothing(
    votes_of: VotesOf, said: Said, later: Callable[[float], None], client: redis.Redis, keys: Keys
) -> None:
    # Given a worker that is about to end a silent track, and another one that hears of it now
    votes, other = votes_of(), votes_of()
    count(votes, chips(CONFIRM), ADA)
    later(SILENT_S + 1)
    count(other, [chip(CONFIRM + 1)], ADA)
    votes._close_orphan(f"lobby/{EPOCH}/1")
    votes._close(f"lobby/{EPOCH}/1", "due")
    assert kinds(said()) == ["person_enter"]
    assert len(workers_of(said())) == 1
    assert client.zcard(keys.open_tracks) == 1


def test_a_track_whose_leader_was_never_confirmed_is_said_to_be_unknown(
    votes: Votes, said: Said
) -> None:
    # Given enough chips for a word, of which too few agree on her, who still leads
    count(votes, chips(CONFIRM - 1), ADA, weight=0.9)
    misses = [chip(number) for number in range(CONFIRM, UNKNOWN + 1)]
    count(votes, misses, None, weight=0.01)
    assert kinds(said()) == []

    votes.end(ended(UNKNOWN))

    events: list[MatchEvent] = said()
    assert kinds(events) == ["unknown_enter", "unknown_exit"]
    assert [event.person for event in events] == [None, None]


def test_naming_an_ended_track_shortens_its_wait_and_a_second_end_does_not_prolong_it(
    votes: Votes, said: Said, later: Callable[[float], None]
) -> None:
    # Given the end of a track without a name, two of whose chips are missing
    count(votes, chips(CONFIRM - 1), ADA)
    votes.end(ended(CONFIRM + 1))

    # If one of them names her, and the end is told again
    count(votes, [chip(CONFIRM)], ADA)
    votes.end(ended(CONFIRM + 1))
    later(2.1)
    votes.sweep()

    # I expect her exit after the short wait
    assert kinds(said()) == ["person_enter", "person_exit"]


def test_one_who_is_named_by_the_end_of_a_track_leaves_the_unknown_first(
    votes_of: VotesOf, said: Said
) -> None:
    # Given a worker that wants more chips for a name than the one that hears of the end
    careful, quick = votes_of(confirm=9), votes_of()
    count(careful, chips(UNKNOWN), None, weight=0.1)
    made = chips(UNKNOWN + CONFIRM)[UNKNOWN:]
    count(careful, made, ADA, weight=0.9)
    assert kinds(said()) == ["unknown_enter"]

    quick.end(ended(UNKNOWN + CONFIRM))

    assert kinds(said()) == ["unknown_enter", "unknown_exit", "person_enter", "person_exit"]
    assert said()[1].captured_at == "2027-01-15T08:00:01.600000Z"  # of the last chip


def test_a_vote_of_the_version_before_is_ended_by_this_one(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    # Given the vote of a stranger whose chips each named somebody, as 0.1.0 wrote it
    track = f"lobby/{EPOCH}/1"
    facts = (
        f'{{"camera":"lobby","zones":[],"stream_epoch":{EPOCH},"track":1,"threshold":0.37,'
        f'"runner_up":{{"id":"c0","similarity":0.5}},"worker":"old","snapshot":"{track}/a0"}}'
    )
    fields = {"state": "unknown", "n": "5", "judged": "5", "total": "5", "count:a0": "2"}
    fields |= {"weight:a0": "2", "best:a0": "1", "facts:a0": facts, "named:a0": "{}"}
    client.hset(keys.vote(track), mapping=fields | {"captured:a0": "2027-01-15T08:00:00.000000Z"})
    client.setrange(keys.counted(track), 0, b"\x7c")

    votes.end(ended(UNKNOWN))

    (event,) = said()
    assert (event.type, event.unknown, event.snapshot) == ("unknown_exit", None, f"{track}/a0")
