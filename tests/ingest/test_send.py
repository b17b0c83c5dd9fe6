"""The sender: everything arrives in order, whatever Redis does meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from structlog.testing import capture_logs

from facetrail.broker import celery_app
from facetrail.embedded_redis import EmbeddedRedis
from facetrail.store import Keys, connect
from facetrail.wire import MOST_CHIPS, FaceChip, Message
from ingest.saying.outbox import CHIP_BYTES, Outbox
from ingest.send import Sender
from tests.ingest.queued import messages
from tests.ingest.wares import chip, ended

KEYS = Keys("other:")
Wait = Callable[..., None]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis that a test may stop."""
    made = EmbeddedRedis(tmp_path / "redis")
    made.start()
    yield made
    made.stop()


def sender_to(url: str, outbox: Outbox, *, queue_limit: int = 100) -> Sender:
    app = celery_app(url, key_prefix=KEYS.prefix)
    return Sender(app, connect(url), KEYS, outbox, queue_limit=queue_limit)


def numbers(client: redis.Redis) -> list[int]:
    return [chip.number for message in messages(client, KEYS) for chip in message.chips]


def test_one_message_carries_what_waits_as_our_bytes(client: redis.Redis, redis_url: str) -> None:
    outbox = Outbox(1_000_000)
    outbox.put([chip(1, 1), chip(2, 1), ended(1, 1)])
    sender = sender_to(redis_url, outbox)

    assert sender.step(0)
    assert not sender.step(0)

    assert messages(client, KEYS) == [Message(items=(chip(1, 1), chip(2, 1), ended(1, 1)))]
    assert all(key.startswith(b"other:") for key in client.keys("*"))


def test_what_waits_goes_in_order_and_in_full_messages(
    client: redis.Redis, redis_url: str, wait_for: Wait
) -> None:
    outbox = Outbox(1_000_000)
    outbox.put(chip(1, number) for number in range(1, 101))
    sender = sender_to(redis_url, outbox)
    sender.start()
    wait_for(lambda: len(messages(client, KEYS)) == 4)
    sender.stop()
    assert [len(message.chips) for message in messages(client, KEYS)] == [MOST_CHIPS] * 3 + [4]
    assert numbers(client) == list(range(1, 101))


def test_a_full_queue_is_waited_for(client: redis.Redis, redis_url: str) -> None:
    # Given a queue at its limit
    outbox = Outbox(1_000_000)
    sender = sender_to(redis_url, outbox, queue_limit=2)
    for number in (1, 2):
        outbox.put([chip(1, number)])
        assert sender.step(0)

    # If there is more to send, I expect it to wait in memory
    outbox.put([chip(1, 3)])
    assert not sender.step(0)
    assert len(outbox) == 1 and client.llen(KEYS.queue) == 2

    # until a worker has taken a message
    client.rpop(KEYS.queue)
    assert sender.step(0)
    assert numbers(client) == [2, 3]


def test_what_was_dropped_is_counted_in_redis(client: redis.Redis, redis_url: str) -> None:
    # Given a queue at its limit, and an outbox for two chips, one of each track
    outbox = Outbox(2 * CHIP_BYTES + 400, most_of_track=1)
    sender = sender_to(redis_url, outbox, queue_limit=1)
    outbox.put([chip(1, 1)])
    assert sender.step(0)
    outbox.put([chip(1, 2)])
    assert not sender.step(0)

    # If more come, of which some are better
    outbox.put([chip(1, 3, score=0.9), chip(1, 4, score=0.7), chip(2, 1), chip(3, 1), ended(1, 4)])
    client.delete(KEYS.queue)
    assert sender.step(0)

    # I expect those that gave way to be counted by reason
    assert [(i.track, i.number) for i in messages(client, KEYS)[0].chips] == [(2, 1), (3, 1)]
    assert messages(client, KEYS)[0].ends == [ended(1, 1)]
    assert client.hgetall(KEYS.counters) == {
        b"dropped_for_better": b"2",
        b"dropped_outbox_full": b"1",
    }


def test_nothing_is_lost_while_redis_is_away(server: EmbeddedRedis, wait_for: Wait) -> None:
    # Given a sender at work
    outbox = Outbox(1_000_000)
    sender = sender_to(server.url, outbox)
    client = connect(server.url)
    sender.start()
    outbox.put([chip(1, 1)])
    wait_for(lambda: client.llen(KEYS.queue) == 1)

    # If Redis stops while there is more, and comes back
    server.stop()
    with capture_logs() as lines:
        for number in range(2, 101):
            outbox.put([chip(1, number)])
        outbox.put([ended(1, 100)])
        wait_for(lambda: lines)
    server.start()
    wait_for(lambda: not len(outbox), timeout_s=20)
    sender.stop()

    # I expect everything, in its order; what may come twice is told apart by its number
    found = numbers(client)
    assert list(dict.fromkeys(found)) == list(range(1, 101))
    assert messages(client, KEYS)[-1].ends == [ended(1, 100)]
    assert lines[0]["event"] == "Redis takes nothing, chips wait"
    client.close()


def test_a_redis_that_is_full_is_waited_for(server: EmbeddedRedis) -> None:
    outbox = Outbox(1_000_000)
    sender = sender_to(server.url, outbox)
    client = connect(server.url)
    outbox.put([chip(1, 1)])
    assert sender.step(0)

    client.config_set("maxmemory", "1")
    outbox.put([chip(1, 2)])
    assert not sender.step(0)
    client.config_set("maxmemory", "0")

    assert sender.step(0)
    assert numbers(client) == [1, 2]
    client.close()


def test_a_queue_that_is_something_else_kills_nobody(client: redis.Redis, redis_url: str) -> None:
    client.set(KEYS.queue, "not a list")
    outbox = Outbox(1_000_000)
    outbox.put([chip(1, 1)])
    assert not sender_to(redis_url, outbox).step(0)
    assert len(outbox) == 1


def test_a_stop_sends_the_last_words(client: redis.Redis, redis_url: str) -> None:
    outbox = Outbox(1_000_000)
    sender = sender_to(redis_url, outbox)
    sender.start()
    outbox.put(chip(1, number) for number in range(1, 71))
    outbox.put([ended(1, 70)])
    sender.stop()
    assert not sender.is_alive()
    assert numbers(client) == list(range(1, 71))
    assert messages(client, KEYS)[-1].ends == [ended(1, 70)]


def test_the_last_words_go_into_a_full_queue_too(client: redis.Redis, redis_url: str) -> None:
    client.lpush(KEYS.queue, *range(5))
    outbox = Outbox(1_000_000)
    sender = sender_to(redis_url, outbox, queue_limit=5)
    sender.start()
    outbox.put([chip(1, 1), ended(1, 1)])
    sender.stop()
    assert client.llen(KEYS.queue) == 6
    assert len(outbox) == 0


def test_a_stop_does_not_wait_for_a_redis_that_is_away(tmp_path: Path) -> None:
    outbox = Outbox(1_000_000)
    sender = sender_to(f"unix://{tmp_path}/none", outbox)
    sender.start()
    outbox.put([chip(1, 1)])
    sender.stop(timeout_s=5.0)
    assert not sender.is_alive()
    assert isinstance(outbox.take(0)[0], FaceChip)
