"""People are merged and erased while they are in front of a camera."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from facetrail import snapshots
from facetrail.erasure import erase
from facetrail.events import Person
from facetrail.sightings import every, hand_over, of
from facetrail.store import Keys
from tests.workers.conftest import (
    ADA,
    BEN,
    CONFIRM,
    CONTEXT,
    EPOCH,
    UNKNOWN,
    Said,
    Votes,
    chip,
    chips,
    count,
    ended,
    face,
    kinds,
    saying,
)

TRACK = f"lobby/{EPOCH}/1"
CLEO = Person(id="c1", name="Cleo")


def test_an_open_track_of_who_was_merged_goes_on_as_the_other(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys, redis_url: str
) -> None:
    # Given Ada at a camera, of whom somebody finds that she is Ben
    count(votes, chips(CONFIRM), ADA, weight=0.3)
    assert hand_over(client, keys, ADA.id, BEN) == 1

    # If better chips name her still, by a worker that is late, and then him
    count(votes, [chip(CONFIRM + 1)], ADA, weight=0.6)
    count(votes, [chip(CONFIRM + 2)], BEN, weight=0.9)
    votes.end(ended(CONFIRM + 2))

    # I expect one appearance, which is his from then on
    assert kinds(said()) == ["person_enter", "person_update", "person_update", "person_exit"]
    assert [event.person for event in said()] == [ADA, BEN, BEN, BEN]
    ((kept),) = every(client, keys)
    assert (kept.sighting.person, kept.sighting.name) == (BEN.id, f"{TRACK}/a0")
    for event in said():
        picture = snapshots.get(str(event.snapshot), redis_url)
        assert picture is not None and picture.chip == b"chip 5"
    assert client.zcard(keys.seen(BEN.id)) == 4
    assert not client.exists(keys.seen(ADA.id), keys.sightings_of(ADA.id))
    assert len(list(client.scan_iter("*snapshot:*"))) == 1


def test_chips_of_both_count_together(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    # Given chips of two, of whom neither has enough, and neither leads
    count(votes, chips(2), ADA, weight=0.5)
    count(votes, [chip(3), chip(4)], BEN, weight=0.6)
    assert said() == []

    hand_over(client, keys, ADA.id, BEN)
    votes.end(ended(4))

    assert [event.person for event in said()] == [BEN, BEN]
    ((kept),) = every(client, keys)
    assert kept.sighting.name == f"{TRACK}/b0"
    assert len(list(client.scan_iter("*snapshot:*"))) == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_who_is_merged_twice_is_the_last(
    order: tuple[int, int], votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    # Given Ada, who is Ben, who is Cleo; told in either order, since workers end what was begun
    count(votes, chips(CONFIRM), ADA)
    merges = [(ADA.id, BEN), (BEN.id, CLEO)]
    for number in order:
        hand_over(client, keys, *merges[number])
    count(votes, [chip(CONFIRM + 1)], BEN)
    votes.end(ended(CONFIRM + 1))

    assert [event.person for event in said()] == [ADA, CLEO]
    assert {kept.sighting.person for kept in every(client, keys)} == {CLEO.id}
    assert client.zcard(keys.seen(CLEO.id)) == 2
    # and all of them to be gone with her
    assert erase(client, keys, [CLEO.id]).events == 2
    assert {key.decode() for key in client.keys("*a0*")} == {keys.erased("a0")}
    assert not client.exists(keys.merged("a0"), keys.merged("b0"), keys.formerly(CLEO.id))


def test_who_was_merged_and_erased_at_a_camera_leaves_nothing(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    count(votes, chips(CONFIRM), ADA)
    hand_over(client, keys, ADA.id, BEN)
    erase(client, keys, [BEN.id])
    count(votes, [chip(CONFIRM + 1)], ADA)
    votes.end(ended(CONFIRM + 1))
    assert said() == [] and list(every(client, keys)) == []
    assert not list(client.scan_iter("*snapshot:*"))
    assert not client.exists(keys.seen(ADA.id), keys.seen(BEN.id))


def test_who_is_erased_at_a_camera_is_held_no_more(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    count(votes, chips(CONFIRM), ADA)
    erase(client, keys, [ADA.id])
    # Given chips that came meanwhile, and name nobody
    count(votes, chips(CONFIRM + UNKNOWN)[CONFIRM:], None, weight=0.9)
    fields = client.hgetall(keys.vote(TRACK))
    assert fields[b"person"] == b""
    assert not any(b"encoding" in field or ADA.id.encode() in field for field in fields)
    assert not list(client.scan_iter("*snapshot:*"))
    votes.end(ended(CONFIRM + UNKNOWN))
    assert said() == []


def stranger_of(votes: Votes, said: Said) -> str:
    votes.count(chips(UNKNOWN), [saying(None, 0.5, face(0))] * UNKNOWN, CONTEXT)
    return str(said()[0].unknown)


def test_a_stranger_who_was_named_and_erased_leaves_nothing_in_an_open_track(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    hand_over(client, keys, stranger_of(votes, said), ADA)
    erase(client, keys, [ADA.id])
    fields = client.hgetall(keys.vote(TRACK))
    assert not any(field.startswith((b"encoding", b"shot", b"facts")) for field in fields)
    assert not list(client.scan_iter("*snapshot:*"))

    # and nothing more to be said of them, whatever comes
    count(votes, [chip(UNKNOWN + 1)], None, weight=0.9)
    votes.end(ended(UNKNOWN + 1))
    assert said() == [] and list(every(client, keys)) == []
    assert not list(client.scan_iter("*snapshot:*"))


def test_one_who_turns_out_to_be_somebody_else_enters_still(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    hand_over(client, keys, stranger_of(votes, said), ADA)
    erase(client, keys, [ADA.id])
    count(votes, chips(2 * UNKNOWN)[UNKNOWN:], BEN, weight=0.9)
    votes.end(ended(2 * UNKNOWN))
    assert [(event.type, event.person) for event in said()] == [
        ("person_enter", BEN),
        ("person_exit", BEN),
    ]
    ((kept),) = of(client, keys, BEN.id)
    assert kept.sighting.name == f"{TRACK}/b0"


def test_a_stranger_is_whoever_the_person_of_their_name_became(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    hand_over(client, keys, stranger_of(votes, said), ADA)
    hand_over(client, keys, ADA.id, BEN)
    votes.end(ended(UNKNOWN))
    assert {kept.sighting.person for kept in every(client, keys)} == {BEN.id}
    assert client.zcard(keys.seen(BEN.id)) == 2


def test_whoever_was_nearly_mistaken_for_themselves_has_no_runner_up(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys, later: Callable[[float], None]
) -> None:
    count(votes, chips(CONFIRM - 1), ADA)  # the runner-up is c0
    hand_over(client, keys, "c0", ADA)
    count(votes, [chip(CONFIRM)], ADA)
    (enter,) = said()
    assert enter.person == ADA and enter.runner_up is None
