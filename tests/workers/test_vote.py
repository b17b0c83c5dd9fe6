"""One name per track: said once, by whichever worker, in whichever order the chips come."""

from __future__ import annotations

from itertools import count as numbered

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facetrail.events import MatchEvent, Person
from facetrail.store import Keys
from tests.workers.conftest import (
    ADA,
    BEN,
    CONFIRM,
    CONTEXT,
    UNKNOWN,
    Said,
    Votes,
    VotesOf,
    chip,
    chips,
    count,
    ended,
    saying,
)

_tracks = numbered(1)


def words(events: list[MatchEvent]) -> list[tuple[str, str | None]]:
    return [(event.type, event.person.name if event.person else None) for event in events]


def test_a_person_enters_with_the_last_of_the_chips_that_confirm(votes: Votes, said: Said) -> None:
    count(votes, chips(CONFIRM - 1), ADA)
    assert said() == []
    count(votes, [chip(CONFIRM)], ADA)
    assert words(said()) == [("person_enter", "Ada")]
    count(votes, chips(10)[CONFIRM:], ADA)
    assert words(said()) == [("person_enter", "Ada")]


def test_a_chip_that_comes_again_counts_once(votes: Votes, said: Said) -> None:
    for _ in range(5):
        count(votes, chips(CONFIRM - 1), ADA)
    assert said() == []


def test_a_person_with_fewer_chips_says_nothing(votes: Votes, said: Said) -> None:
    count(votes, chips(CONFIRM - 1), ADA)
    votes.end(ended(CONFIRM - 1))
    assert said() == []


def test_a_track_without_a_name_is_unknown_and_says_so_once(votes: Votes, said: Said) -> None:
    count(votes, chips(UNKNOWN - 1), None)
    assert said() == []
    count(votes, chips(UNKNOWN + 3), None)
    assert words(said()) == [("unknown_enter", None)]
    votes.end(ended(UNKNOWN + 3))
    assert words(said()) == [("unknown_enter", None), ("unknown_exit", None)]


def test_chips_that_say_nothing_make_nobody_unknown(votes: Votes, said: Said) -> None:
    # Given a track of which all chips but one could not be read
    for made in chips(UNKNOWN):
        votes.skip(made, "expired")
    count(votes, [chip(UNKNOWN + 1)], None)
    assert said() == []

    # I expect them to be waited for all the same
    votes.end(ended(UNKNOWN + 2))
    assert said() == []
    count(votes, chips(CONFIRM, track=2), ADA)
    votes.skip(chip(CONFIRM + 1, track=2), "expired")
    votes.end(ended(CONFIRM + 1, track=2))
    assert words(said()) == [("person_enter", "Ada"), ("person_exit", "Ada")]


def test_one_who_is_named_after_all_leaves_the_unknown(votes: Votes, said: Said) -> None:
    count(votes, chips(UNKNOWN), None, weight=0.25)
    count(votes, chips(2 * UNKNOWN)[UNKNOWN:], ADA, weight=0.5)
    votes.end(ended(2 * UNKNOWN))
    assert words(said()) == [
        ("unknown_enter", None),
        ("unknown_exit", None),
        ("person_enter", "Ada"),
        ("person_exit", "Ada"),
    ]


def test_two_people_who_tie_are_unknown(votes: Votes, said: Said) -> None:
    # Given three chips of Ada and two of Ben that weigh as much
    judgements = [saying(ADA, 0.5), saying(BEN, 0.75)] * 2 + [saying(ADA, 0.5)]
    votes.count(chips(5), judgements, CONTEXT)
    assert words(said()) == [("unknown_enter", None)]
    # I expect the next to decide
    count(votes, [chip(6)], ADA, weight=0.1)
    assert words(said())[1:] == [("unknown_exit", None), ("person_enter", "Ada")]


def test_weight_decides_and_not_the_number_of_chips(votes: Votes, said: Said) -> None:
    made = chips(7)
    judgements = [saying(BEN, 0.2)] * 2 + [saying(None, 0.1)] * 2 + [saying(ADA, 0.9)] * 3
    votes.count(made, judgements, CONTEXT)
    assert words(said()) == [("person_enter", "Ada")]


def test_chips_without_weight_name_nobody(votes: Votes, said: Said) -> None:
    count(votes, chips(UNKNOWN), ADA, weight=0.0)
    assert words(said()) == [("unknown_enter", None)]


def test_a_better_shot_is_worth_an_update(votes: Votes, said: Said) -> None:
    count(votes, chips(CONFIRM), ADA, weight=0.4)
    # If a chip is a little better, then one of somebody else's much, then one of hers
    count(votes, [chip(CONFIRM + 1)], ADA, weight=0.45)
    count(votes, [chip(CONFIRM + 2)], BEN, weight=0.8)
    assert words(said()) == [("person_enter", "Ada")]
    count(votes, [chip(CONFIRM + 3)], ADA, weight=0.6)
    count(votes, [chip(CONFIRM + 4)], ADA, weight=0.6)
    count(votes, [chip(CONFIRM + 5)], ADA, weight=0.9)

    # I expect one update for each step forward, of that chip
    updates = said()[1:]
    assert words(updates) == [("person_update", "Ada")] * 2
    assert len({event.id for event in updates}) == 2
    assert [event.captured_at[-8:] for event in updates] == [".200000Z", ".600000Z"]


def test_two_workers_share_a_track(votes_of: VotesOf, said: Said) -> None:
    one, two = votes_of("one"), votes_of("two")
    for number in range(1, 9):
        count((one, two)[number % 2], [chip(number)], ADA)
        count((two, one)[number % 2], [chip(number)], ADA)
    two.end(ended(8))
    one.end(ended(8))
    one.sweep()
    two.sweep()
    assert words(said()) == [("person_enter", "Ada"), ("person_exit", "Ada")]


def test_tracks_with_one_number_are_three_if_camera_or_stream_differ(
    votes: Votes, said: Said
) -> None:
    for changes in ({}, {"camera": "yard"}, {"stream_epoch": 7}):
        count(votes, chips(CONFIRM, **changes), ADA)
    events = said()
    assert words(events) == [("person_enter", "Ada")] * 3
    assert len({event.id for event in events}) == 3


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), total=st.integers(CONFIRM, 8))
def test_order_and_repetition_change_no_decision(
    data: st.DataObject, total: int, votes_of: VotesOf, said: Said
) -> None:
    # Given the chips and the end (0) of a track, in any order, some of which come again
    track = next(_tracks)
    again = data.draw(st.lists(st.sampled_from(range(total + 1)), max_size=10))
    numbers = data.draw(st.permutations([*range(total + 1), *again]))
    workers = [votes_of("one"), votes_of("two")]

    # If two workers take them as they come
    for number in numbers:
        votes = data.draw(st.sampled_from(workers))
        if number == 0:
            votes.end(ended(total, track=track))
        else:
            count(votes, [chip(number, track=track)], ADA)

    # I expect the same events, with the same ids
    events = [event for event in said() if event.track == track]
    assert [event.id for event in events] == [
        f"lobby/{events[0].stream_epoch}/{track}/{kind}/1"
        for kind in ("person_enter", "person_exit")
    ]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    judged=st.lists(
        st.tuples(st.sampled_from([ADA, BEN, None]), st.floats(0, 1)), min_size=1, max_size=14
    ),
    end_at=st.integers(0, 14),
)
def test_whoever_enters_leaves_and_nobody_is_two_people(
    judged: list[tuple[Person | None, float]], end_at: int, votes: Votes, said: Said
) -> None:
    track = next(_tracks)
    for i, (person, weight) in enumerate(judged):
        if i == end_at:
            votes.end(ended(len(judged), track=track))
        count(votes, [chip(i + 1, track=track)], person, weight)
    votes.end(ended(len(judged), track=track))

    events = [event for event in said() if event.track == track]
    kinds = [event.type for event in events if event.type != "person_update"]
    assert kinds in (
        [],
        ["unknown_enter", "unknown_exit"],
        ["person_enter", "person_exit"],
        ["unknown_enter", "unknown_exit", "person_enter", "person_exit"],
    )
    assert len({event.person for event in events if event.person}) <= 1
    assert len({event.id for event in events}) == len(events)


def test_an_event_said_before_is_not_said_again_after_the_vote_was_lost(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    count(votes, chips(CONFIRM), ADA)
    client.delete(keys.vote(f"lobby/{chip().stream_epoch}/1"), *client.keys("*counted*"))
    count(votes, chips(CONFIRM), ADA)
    assert words(said()) == [("person_enter", "Ada")]


@pytest.mark.parametrize("confirm", [1, 4])
def test_how_many_chips_confirm_is_a_setting(confirm: int, votes_of: VotesOf, said: Said) -> None:
    votes = votes_of(confirm=confirm, unknown=100)
    count(votes, chips(confirm - 1), ADA)
    assert said() == []
    count(votes, chips(confirm), ADA)
    assert words(said()) == [("person_enter", "Ada")]
