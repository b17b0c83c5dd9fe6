"""Whether a camera is there is said once for each change, in order, and holds nobody up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
import redis

from facetrail.embedded_redis import EmbeddedRedis
from facetrail.events import MatchEvent, replay
from facetrail.store import Keys, connect
from ingest.camera import NOT_OPENED
from ingest.saying.announce import Announcer, announce, state_of

Wait = Callable[..., None]


@pytest.fixture
def announcer(client: redis.Redis, keys: Keys) -> Iterator[Announcer]:
    made = Announcer(client, keys, "lobby", history=1000)
    made.start()
    yield made
    made.stop()


def said(client: redis.Redis, keys: Keys) -> list[tuple[str, str | None]]:
    return [(event.type, event.cause) for event in replay(client, keys, "0")]


def test_each_change_is_said_once(announcer: Announcer, client: redis.Redis, keys: Keys) -> None:
    for lost in (NOT_OPENED, "refused", "refused", "no answer", None, None, "the stream ended"):
        announcer.say(lost)
    announcer.stop()
    assert said(client, keys) == [
        ("camera_offline", "refused"),
        ("camera_online", None),
        ("camera_offline", "the stream ended"),
    ]


def test_an_event_of_a_camera_says_nothing_of_a_face(
    announcer: Announcer, client: redis.Redis, keys: Keys
) -> None:
    announcer.say("refused")
    announcer.stop()
    (event,) = replay(client, keys, "0")
    plain = MatchEvent(
        id=event.id,
        sequence=event.sequence,
        type="camera_offline",
        camera="lobby",
        captured_at=event.captured_at,
        published_at=event.published_at,
        cause="refused",
    )
    assert event == plain
    assert event.id.startswith("lobby/camera_offline/")


def test_changes_are_kept_while_redis_is_away(tmp_path: Path, keys: Keys, wait_for: Wait) -> None:
    # Given a Redis that is away
    server = EmbeddedRedis(tmp_path)
    client = connect(server.start())
    server.stop()
    announcer = Announcer(client, keys, "lobby", history=1000)
    announcer.start()

    # If a camera goes and comes back, I expect nobody to wait
    began = time.monotonic()
    announcer.say("refused")
    announcer.say(None)
    assert time.monotonic() - began < 0.1

    # and both to be said once Redis is there, with the times of the changes
    server.start()
    wait_for(lambda: len(said(client, keys)) == 2)
    announcer.stop()
    assert said(client, keys) == [("camera_offline", "refused"), ("camera_online", None)]
    events = list(replay(client, keys, "0"))
    times = [datetime.fromisoformat(event.captured_at) for event in events]
    assert (times[1] - times[0]).total_seconds() < 0.1
    assert all(event.published_at > event.captured_at for event in events)
    client.close()
    server.stop()


def test_a_stop_does_not_wait_for_a_redis_that_is_away(keys: Keys) -> None:
    announcer = Announcer(connect("unix:///nowhere"), keys, "lobby", history=1000)
    announcer.start()
    announcer.say("refused")
    announcer.stop(timeout_s=5.0)
    assert not announcer.is_alive()


def test_a_state_is_said_once_whoever_says_it(client: redis.Redis, keys: Keys) -> None:
    # Given a camera whose process said that it is gone, and then died, as the next one does
    for cause in ("refused", "its process ended", "refused"):
        announce(client, keys, state_of("lobby", cause), history=1000)
    announce(client, keys, state_of("yard", "no answer"), history=1000)
    announce(client, keys, state_of("lobby", None), history=1000)
    announce(client, keys, state_of("lobby", None), history=1000)
    assert said(client, keys) == [
        ("camera_offline", "refused"),
        ("camera_offline", "no answer"),
        ("camera_online", None),
    ]
