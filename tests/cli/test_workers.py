"""`facetrail workers` and `facetrail rejected`: who works, what waits, what was set aside."""

from __future__ import annotations

import base64
import json

import msgspec
import pytest
import redis

from facetrail.broker import celery_app
from facetrail.store import Keys
from facetrail.wire import TASK, Message
from facetrail.worker_status import WorkerStatus, say_status
from tests.cli.conftest import Run
from tests.workers.conftest import chip
from workers.delivery.rejected import LONGEST, set_aside

STATUS = WorkerStatus(
    worker="box-1-ab",
    encoder="dlib_resnet@55533b28",
    state="ready",
    started_at="2026-11-27T21:00:00+00:00",
    faces=12_345,
    faces_per_s=311.5,
    batch_fill=0.875,
    busy=0.93,
    delay_s=0.21,
)


def test_each_worker_is_listed_with_how_it_is_and_what_waits(
    facetrail: Run, client: redis.Redis, keys: Keys, redis_url: str
) -> None:
    # Given two workers, one of whom has ended, and a message of a chip of 2027
    client.sadd(keys.workers, STATUS.worker, "gone-2-cd")
    say_status(client, keys, STATUS)
    app = celery_app(redis_url, key_prefix=keys.prefix)
    app.send_task(TASK, args=[bytes(Message(items=(chip(),)))], retry=False, ignore_result=True)
    app.close()
    client.hset(keys.counters, mapping={"recognised": 7, "expired": 2})

    # I expect the one that is there, and the queue
    (found,) = map(json.loads, facetrail("workers", "list", "--json").stdout.splitlines())
    (one,) = found["workers"]
    assert (one["worker"], one["state"], one["faces_per_s"]) == ("box-1-ab", "ready", 311.5)
    assert (found["waiting"], found["in_hand"], found["oldest_s"]) == (1, 0, 0.0)
    assert found["counters"] == {"expired": 2, "recognised": 7}
    said = facetrail("workers", "list").stdout
    assert "box-1-ab" in said and "88%" in said and "1 messages wait" in said


def test_no_worker_is_told(facetrail: Run) -> None:
    assert "start one with `facetrail worker`" in facetrail("workers", "list").stdout


@pytest.fixture
def aside(client: redis.Redis, keys: Keys) -> list[str]:
    """Three messages that were set aside: ingest's, one as it was queued, and one too long."""
    set_aside(client, keys, "RuntimeError: a fault of ours", bytes(Message(items=(chip(),))))
    set_aside(client, keys, "expected a message", b"no message", kind="queued")
    set_aside(client, keys, "expected at most", b"x" * (LONGEST + 1))
    return [entry.decode() for entry, _ in client.xrange(keys.rejected)]


def test_what_was_set_aside_is_listed_with_the_reason(facetrail: Run, aside: list[str]) -> None:
    lines = facetrail("rejected", "list", "--json").stdout.splitlines()
    found = [json.loads(line) for line in lines]
    assert [one["id"] for one in found] == aside
    assert [one["reason"] for one in found] == [
        "RuntimeError: a fault of ours",
        "expected a message",
        "expected at most",
    ]
    assert [one["whole"] for one in found] == [True, True, False]
    assert found[2]["size"] == LONGEST + 1
    assert "RuntimeError" in facetrail("rejected", "list").stdout


def test_what_was_set_aside_may_be_tried_again(
    facetrail: Run, aside: list[str], client: redis.Redis, keys: Keys
) -> None:
    done = facetrail("rejected", "retry", "--all", "--json")
    assert json.loads(done.stdout) == {"done": 2, "left": [aside[2]]}
    assert "cut when it was set aside" in done.stderr
    assert client.xlen(keys.rejected) == 1
    raw, ours = client.lrange(keys.queue, 0, -1)[::-1]
    assert raw == b"no message"
    assert json.loads(ours)["headers"]["task"] == TASK
    (data,), _, _ = msgspec.msgpack.decode(base64.b64decode(json.loads(ours)["body"]))
    assert Message.parse(data) == Message(items=(chip(),), retried=True)


def test_one_may_be_dropped_or_all(
    facetrail: Run, aside: list[str], client: redis.Redis, keys: Keys
) -> None:
    assert "1 messages are gone" in facetrail("rejected", "purge", aside[1]).stdout
    assert [entry.decode() for entry, _ in client.xrange(keys.rejected)] == [aside[0], aside[2]]
    facetrail("rejected", "purge", "--all")
    assert not client.xlen(keys.rejected) and not client.llen(keys.queue)


def test_an_id_that_is_not_there_is_one_sentence_and_nothing_is_done(
    facetrail: Run, aside: list[str], client: redis.Redis, keys: Keys
) -> None:
    done = facetrail("rejected", "retry", aside[0], "5-5")
    assert done.returncode == 1
    assert done.stderr.startswith("facetrail: no message 5-5 is set aside")
    assert client.xlen(keys.rejected) == 3 and not client.llen(keys.queue)


@pytest.mark.parametrize("arguments", [(), ("5-5", "--all")])
def test_either_ids_or_all(facetrail: Run, arguments: tuple[str, ...]) -> None:
    assert facetrail("rejected", "purge", *arguments).returncode == 2
