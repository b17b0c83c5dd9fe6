"""`facetrail watch`: events that were, and events as they come."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from facetrail.events import MatchEvent, Person, publish
from facetrail.store import Keys
from tests.cli.conftest import Run, Start


def say(client: redis.Redis, keys: Keys, camera: str, name: str) -> None:
    event = MatchEvent(
        id=f"{camera}/{name}",
        type="person_enter",
        camera=camera,
        track=1,
        person=Person(id="a0", name=name),
        distance=0.25,
        threshold=0.37,
        captured_at="2027-01-15T08:00:00.200000Z",
        published_at="2027-01-15T08:00:00.300000Z",
    )
    assert publish(client, keys, event, history=100)


def lines(output: Iterator[str], count: int) -> list[str]:
    return [next(output).rstrip("\n") for _ in range(count)]


def test_stored_events_are_printed_and_then_what_comes(
    start: Start, client: redis.Redis, keys: Keys, redis_url: str, tmp_path: Path
) -> None:
    # Given two events of before
    say(client, keys, "lobby", "Ada")
    say(client, keys, "yard", "Zoë \N{GRINNING FACE}")

    # If someone watches from the beginning, and another event comes
    watch = start("watch", "--json", "--since", "0", FACETRAIL_REDIS_URL=redis_url)
    assert watch.stdout is not None
    shown = lines(watch.stdout, 2)
    say(client, keys, "lobby", "Ben")
    shown += lines(watch.stdout, 1)

    # I expect all three as JSON, in their order
    events = [json.loads(line) for line in shown]
    assert [event["person"]["name"] for event in events] == [
        "Ada",
        "Zoë \N{GRINNING FACE}",
        "Ben",
    ]
    sequences = [event["sequence"] for event in events]
    assert sequences == [entry[0].decode() for entry in client.xrange(keys.events)]

    # and Ctrl-C to end it quietly
    watch.send_signal(signal.SIGINT)
    assert watch.wait(10) == 0
    assert watch.stdout.read() == ""
    assert (tmp_path / "stderr").read_text() == ""


def test_a_person_reads_a_line_of_the_camera_they_asked_for(
    start: Start, client: redis.Redis, keys: Keys, redis_url: str
) -> None:
    say(client, keys, "yard", "Ada")
    say(client, keys, "lobby", "Ben")
    watch = start("watch", "--camera", "lobby", "--since", "0", FACETRAIL_REDIS_URL=redis_url)
    assert watch.stdout is not None
    (line,) = lines(watch.stdout, 1)
    assert line.split()[1:4] == ["lobby", "person_enter", "Ben"]
    assert line.endswith("distance 0.25 ≤ 0.37")


def test_a_reader_that_goes_away_ends_it_without_a_traceback(
    start: Start, client: redis.Redis, keys: Keys, redis_url: str, tmp_path: Path
) -> None:
    say(client, keys, "lobby", "Ada")
    watch = start("watch", "--json", "--since", "0", FACETRAIL_REDIS_URL=redis_url)
    assert watch.stdout is not None
    lines(watch.stdout, 1)
    watch.stdout.close()
    for name in ("Ben", "Cleo"):
        say(client, keys, "lobby", name)
    assert watch.wait(10) == 1
    assert (tmp_path / "stderr").read_text() == ""


@pytest.mark.parametrize("since", ["yesterday", "-1", "1-2-3", "0; FLUSHALL"])
def test_what_is_no_sequence_is_refused(since: str, facetrail: Run) -> None:
    done = facetrail("watch", f"--since={since}")
    assert done.returncode in (1, 2)
    assert repr(since) in done.stderr and "is not a sequence" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_redis_that_is_not_there_is_one_sentence(facetrail: Run) -> None:
    done = facetrail("watch", "--json", FACETRAIL_REDIS_URL="redis://127.0.0.1:9/0")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("facetrail: Redis at 127.0.0.1:9 does not answer")
