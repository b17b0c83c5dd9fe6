"""What an event says of its face is true and well-formed, whatever the names in it."""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facetrail import snapshots
from facetrail.events import EventBox, EventQuality, MatchEvent, Person, RunnerUp
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
    VotesOf,
    chip,
    chips,
    count,
    ended,
    saying,
)

NAMES = [
    'Ada "the first"',
    "back\\slash",
    "Zoë Ørsted",
    "李小龍",
    "%d %s {} ]]",
    "a/b",
    "🙂",
    "\x7f\x01",
]


def test_an_event_says_all_that_design_asks_for(votes: Votes, said: Said) -> None:
    count(votes, chips(CONFIRM), ADA)
    (event,) = said()
    assert event == MatchEvent(
        id=f"lobby/{EPOCH}/1/person_enter/1",
        sequence=event.sequence,
        type="person_enter",
        camera="lobby",
        zones=("door",),
        stream_epoch=EPOCH,
        track=1,
        person=ADA,
        similarity=1 - 0.25**2 / 2,
        distance=0.25,
        threshold=0.37,
        runner_up=RunnerUp(id="c0", similarity=1 - 0.5**2 / 2),
        margin=0.25,
        encoder="dlib_resnet@55533b28",
        index_position="7-0",
        box=EventBox(pixels=(160.0, 90.0, 80.0, 90.0), normalised=(0.25, 0.25, 0.125, 0.25)),
        quality=EventQuality(height=90, sharpness=120.5, yaw=0.125, score=0.5),
        captured_at="2027-01-15T08:00:00.200000Z",
        published_at=event.published_at,
        worker="one",
        snapshot=f"lobby/{EPOCH}/1/a0",
    )


def test_subscribers_hear_what_the_stream_holds(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    with client.pubsub() as channel:
        channel.subscribe(keys.channel("lobby"))
        assert channel.get_message(timeout=5)["type"] == "subscribe"
        count(votes, chips(CONFIRM), ADA)
        heard = channel.get_message(timeout=5)
    (event,) = said()
    assert msgspec.json.decode(heard["data"], type=MatchEvent) == event


@pytest.mark.parametrize(
    ("box", "normalised"),
    [
        ((-64.0, -36.0, 128.0, 72.0), (0.0, 0.0, 0.1, 0.1)),
        ((576.0, 324.0, 640.0, 360.0), (0.9, 0.9, 0.1, 0.1)),
        ((-5.0, -5.0, 9999.0, 9999.0), (0.0, 0.0, 1.0, 1.0)),
        ((900.0, -900.0, 10.0, 10.0), (1.0, 0.0, 0.0, 0.0)),
    ],
)
def test_a_box_that_leaves_the_frame_is_cut_at_its_edge(
    box: tuple[float, ...], normalised: tuple[float, ...], votes: Votes, said: Said
) -> None:
    count(votes, chips(CONFIRM, box=box), ADA)
    (event,) = said()
    assert event.box is not None
    assert event.box.pixels == box
    assert event.box.normalised == pytest.approx(normalised)


@pytest.mark.parametrize("zones", [(), ("a",), ('do"or', "t\\ür")])
def test_zones_are_a_list_even_if_empty(
    zones: tuple[str, ...], votes: Votes, client: redis.Redis, keys: Keys
) -> None:
    count(votes, chips(CONFIRM, zones=zones), ADA)
    ((_, fields),) = client.xrange(keys.events)
    assert json.loads(fields[b"event"])["zones"] == list(zones)


@pytest.mark.parametrize("name", NAMES)
def test_any_name_survives(name: str, votes: Votes, said: Said, redis_url: str) -> None:
    person = Person(id="n0", name=name, external_id=name)
    context = msgspec.structs.replace(CONTEXT, people={"n0": person})
    for made in chips(CONFIRM, camera=name, zones=(name,)):
        votes.count([made], [saying(person)], context)
    votes.end(ended(CONFIRM, camera=name))

    assert [event.type for event in said()] == ["person_enter", "person_exit"]
    for event in said():
        assert (event.person, event.camera, event.zones) == (person, name, (name,))
        assert event.id == f"{name}/{EPOCH}/1/{event.type}/1"
        assert "\n" not in event.json()
        assert event.snapshot is not None and snapshots.get(event.snapshot, redis_url)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=30))
def test_every_text_survives(name: str, votes: Votes, said: Said) -> None:
    person = Person(id="n0", name=name, external_id=None)
    context = msgspec.structs.replace(CONTEXT, people={"n0": person})
    before = len(said())
    votes.count(chips(CONFIRM, camera=name), [saying(person)] * CONFIRM, context)
    votes.end(ended(CONFIRM, camera=name))
    events = said()[before:]
    assert {event.camera for event in events} <= {name}
    assert {event.person for event in events} <= {person}


def test_the_snapshot_is_the_best_chip_of_that_person(
    votes: Votes, said: Said, redis_url: str
) -> None:
    # Given three chips of Ada, the second the best, and a better one of somebody else
    weights = [(ADA, 0.4), (ADA, 0.7), (BEN, 0.8), (ADA, 0.5)]
    votes.count(chips(4), [saying(person, weight) for person, weight in weights], CONTEXT)
    (event,) = said()
    assert event.snapshot is not None
    found = snapshots.get(event.snapshot, redis_url)
    assert found == snapshots.Snapshot(b"chip 2", b"around chip 2")
    assert event.captured_at.endswith("00.400000Z")

    # If a better one comes, I expect the update to show it
    count(votes, [chip(5)], ADA, weight=0.9)
    update = said()[1]
    assert update.snapshot is not None
    assert snapshots.get(update.snapshot, redis_url) == snapshots.Snapshot(
        b"chip 5", b"around chip 5"
    )


def test_an_unknown_event_shows_a_chip_that_names_nobody(
    votes: Votes, said: Said, redis_url: str
) -> None:
    # Given one good chip that names Ada among four that name nobody
    judgements = [saying(ADA, 0.9), *[saying(None, weight) for weight in (0.2, 0.3, 0.4, 0.1)]]
    votes.count(chips(UNKNOWN), judgements, CONTEXT)
    (event,) = said()
    assert (event.type, event.person, event.distance) == ("unknown_enter", None, None)
    assert event.snapshot == f"lobby/{EPOCH}/1/unknown"
    found = snapshots.get(event.snapshot, redis_url)
    assert found is not None and found.chip == b"chip 4"
    votes.end(ended(UNKNOWN))
    assert said()[1].snapshot == event.snapshot


def test_without_snapshots_an_event_names_none(
    votes_of: VotesOf, said: Said, client: redis.Redis
) -> None:
    count(votes_of(snapshot_ttl_s=0), chips(CONFIRM), ADA)
    assert [event.snapshot for event in said()] == [None]
    assert not list(client.scan_iter("*snapshot*"))


def test_a_person_removed_meanwhile_is_nobody(votes: Votes, said: Said) -> None:
    gone = Person(id="z9", name="Zed")
    count(votes, chips(UNKNOWN), gone)
    assert [(event.type, event.person) for event in said()] == [("unknown_enter", None)]


def test_the_stream_is_bounded(votes_of: VotesOf, client: redis.Redis, keys: Keys) -> None:
    votes = votes_of(history=100)
    for track in range(1, 400):
        count(votes, chips(CONFIRM, track=track), ADA)
    assert client.xlen(keys.events) <= 200


def test_a_worse_chip_brings_its_picture_where_the_better_one_is_gone(
    votes: Votes, said: Said, client: redis.Redis, keys: Keys
) -> None:
    # Given a worker that has sent the picture of a good chip to a Redis that has lost everything
    count(votes, chips(CONFIRM), ADA, weight=0.9)
    client.flushdb()

    # If worse ones of the same track come, I expect the best of them to be shown
    worse = [chip(number) for number in range(CONFIRM + 1, 2 * CONFIRM + 1)]
    count(votes, worse, ADA, weight=0.4)
    (enter,) = said()
    shown = client.get(keys.snapshot(str(enter.snapshot)))
    assert shown is not None and worse[0].jpeg in shown  # type: ignore[operator]


@pytest.fixture
def scripts_run(client: redis.Redis) -> Callable[[], int]:
    """`scripts_run()`: how many scripts Redis has run since it was last asked."""

    def run() -> int:
        count = client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"]
        client.config_resetstat()
        return int(count)

    run()
    return run


def test_no_chip_is_sent_twice_for_being_as_good_as_the_best(
    votes: Votes, scripts_run: Callable[[], int]
) -> None:
    # Given a weight that has more digits than Lua writes by itself, and rounds down there
    weight = 0.1234567890123449
    assert float(f"{weight:.14g}") < weight
    count(votes, chips(CONFIRM), ADA, weight=weight)
    scripts_run()

    # If chips as good come without their pictures, I expect none to be asked for
    count(votes, [chip(CONFIRM + 1)], ADA, weight=weight)
    count(votes, [chip(CONFIRM + 2)], ADA, weight=weight)
    assert scripts_run() == 2


def test_chips_that_overtake_a_better_one_bring_their_pictures(
    votes: Votes, scripts_run: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a good chip on its way, and a worse one of the same track that comes to Redis first
    count(votes, [chip(1, track=2)], ADA)
    overtaken: list[object] = []
    script = votes._script

    def slow(**words: object) -> object:
        monkeypatch.setattr(votes, "_script", script)
        count(votes, [chip(2)], ADA, weight=0.4)
        overtaken.append(words)
        return script(**words)

    monkeypatch.setattr(votes, "_script", slow)
    scripts_run()
    count(votes, [chip(1)], ADA, weight=0.9)

    # I expect one call each
    assert len(overtaken) == 1 and scripts_run() == 2
