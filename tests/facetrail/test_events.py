"""Events: published once, in one order everywhere, and heard again from any place."""

from __future__ import annotations

import json
import re
import threading
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import msgspec
import pytest
import redis

from facetrail import subscribe
from facetrail.embedded_redis import EmbeddedRedis
from facetrail.errors import BadSettings, RedisAway
from facetrail.event_schema import event_schema
from facetrail.events import EventBox, MatchEvent, Person, iso, newest, parse, publish, replay
from facetrail.store import Keys, connect

DOCS = Path(__file__).parents[2] / "docs"
FIELDS = (
    "id sequence schema type camera zones stream_epoch track person unknown similarity distance "
    "threshold runner_up margin encoder index_position box quality captured_at published_at "
    "worker snapshot cause"
)
HISTORY = 1000


def event(name: str, camera: str = "lobby") -> MatchEvent:
    return MatchEvent(
        id=f"{camera}/1/{name}",
        type="person_enter",
        camera=camera,
        person=Person(id="p1", name="Ada"),
        box=EventBox(pixels=(1, 2, 3, 4), normalised=(0.1, 0.2, 0.3, 0.4)),
        captured_at=iso(1_700_000_000_123_456_789),
        published_at=iso(1_700_000_000_123_456_789),
    )


def test_the_same_event_is_published_once(client: redis.Redis, keys: Keys) -> None:
    assert publish(client, keys, event("a"), history=HISTORY)
    assert not publish(client, keys, event("a"), history=HISTORY)
    assert publish(client, keys, event("b"), history=HISTORY)
    assert [found.id for found in replay(client, keys, "0")] == ["lobby/1/a", "lobby/1/b"]


def test_stream_and_channel_say_the_same(client: redis.Redis, keys: Keys) -> None:
    with client.pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe(keys.channel("lobby"))
        channel.get_message(timeout=1.0)
        for name in ("a", 'a quote " and "sequence":""', "%1 100%"):
            publish(client, keys, event(name), history=HISTORY)
        publish(client, keys, event("elsewhere", "yard"), history=HISTORY)
        heard = [channel.get_message(timeout=1.0) for _ in range(4)]

    kept = [found for found in replay(client, keys, "0") if found.camera == "lobby"]
    assert heard[3] is None
    assert [msgspec.json.decode(message["data"], type=MatchEvent) for message in heard[:3]] == kept
    assert all(re.fullmatch(r"\d+-\d+", found.sequence) for found in kept)


def test_the_stream_is_bounded(client: redis.Redis, keys: Keys) -> None:
    for number in range(450):
        publish(client, keys, event(str(number)), history=100)
    assert 100 <= int(client.xlen(keys.events)) <= 200
    assert len(list(replay(client, keys, "0"))) == 100  # a page of them


def test_the_fields_are_those_of_the_design() -> None:
    assert list(json.loads(event("a").json())) == FIELDS.split()


def test_times_have_microseconds() -> None:
    assert iso(1_700_000_000_123_456_789) == "2023-11-14T22:13:20.123456Z"
    assert iso(0) == "1970-01-01T00:00:00.000000Z"
    assert datetime.fromisoformat(iso(5_000)) == datetime(1970, 1, 1, microsecond=5, tzinfo=UTC)


def test_an_event_of_a_later_version_is_read_without_what_is_new() -> None:
    line = json.loads(event("a").json()) | {"schema": 2, "mood": {"smile": 0.5}}
    found = parse(json.dumps(line).encode(), "7-0")
    assert found == msgspec.structs.replace(event("a"), schema=2, sequence="7-0")


def test_subscribe_hears_what_comes_after_the_call(
    client: redis.Redis, keys: Keys, redis_url: str
) -> None:
    publish(client, keys, event("before"), history=HISTORY)
    events = subscribe(redis_url)
    publish(client, keys, event("after"), history=HISTORY)
    assert next(events).id == "lobby/1/after"


def test_subscribe_starts_where_it_is_told(client: redis.Redis, keys: Keys, redis_url: str) -> None:
    for name in "abc":
        publish(client, keys, event(name), history=HISTORY)
    from_0 = list(islice(subscribe(redis_url, since="0"), 3))
    assert [found.id[-1] for found in from_0] == ["a", "b", "c"]
    assert next(subscribe(redis_url, since=from_0[0].sequence)) == from_0[1]
    assert newest(client, keys) == from_0[2].sequence


def test_subscribe_may_hear_some_cameras_only(
    client: redis.Redis, keys: Keys, redis_url: str
) -> None:
    events = subscribe(redis_url, cameras=frozenset({"yard"}))
    publish(client, keys, event("a", "lobby"), history=HISTORY)
    publish(client, keys, event("b", "yard"), history=HISTORY)
    assert next(events).id == "yard/1/b"


@pytest.mark.parametrize(
    "line",
    [b"", b"{}", b"\xff", event("x").json().replace("person_enter", "person_waves").encode()],
)
def test_what_can_not_be_read_is_left_out(
    line: bytes, client: redis.Redis, keys: Keys, redis_url: str
) -> None:
    client.xadd(keys.events, {"event": line})
    client.xadd(keys.events, {"other": "field"})
    events = subscribe(redis_url, since="0")
    publish(client, keys, event("a"), history=HISTORY)
    assert next(events).id == "lobby/1/a"
    assert [found.id for found in replay(client, keys, "0")] == ["lobby/1/a"]


@pytest.mark.parametrize("since", ["", "$", "now", "-1", "1-2-3"])
def test_what_is_no_sequence_is_refused(since: str, redis_url: str) -> None:
    with pytest.raises(BadSettings, match="is not a sequence: take an event's"):
        subscribe(redis_url, since=since)


@pytest.mark.parametrize("since", [None, "0"])
def test_a_redis_that_is_away_at_first_is_told(since: str | None) -> None:
    with pytest.raises(RedisAway):
        subscribe("unix:///nowhere", since=since)


def test_subscribe_goes_on_after_redis_was_away(tmp_path: Path, keys: Keys) -> None:
    # Given a subscriber that has heard one event
    server = EmbeddedRedis(tmp_path)
    events = subscribe(server.start())
    client = connect(server.url)
    publish(client, keys, event("a"), history=HISTORY)
    heard = [next(events).id]
    thread = threading.Thread(target=lambda: heard.extend(e.id for e in islice(events, 2)))
    thread.start()

    # If Redis is away for longer than the client tries, and comes back with its data
    server.stop()
    with pytest.raises(RedisAway):
        subscribe(server.url)
    server.start()
    for name in "abc":
        publish(client, keys, event(name), history=HISTORY)
    thread.join(10)

    # I expect the new ones, and none again
    assert heard == ["lobby/1/a", "lobby/1/b", "lobby/1/c"]
    client.close()
    server.stop()


def test_the_documented_schema_is_current() -> None:
    documented = (DOCS / "event.schema.json").read_text()
    mend = "run python -m facetrail.event_schema > docs/event.schema.json"
    assert documented == event_schema(), mend


def test_every_field_and_type_is_documented() -> None:
    text = (DOCS / "events.md").read_text()
    types = msgspec.json.schema(MatchEvent)["$defs"]["MatchEvent"]["properties"]["type"]["enum"]
    for name in (*FIELDS.split(), *types):
        assert f"`{name}`" in text, name
