"""A message is in Redis at every moment, and comes again when whoever had it has ended."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import redis

from facetrail.store import Keys
from workers.delivery import held as module
from workers.delivery.held import MOST_DEATHS, Held
from workers.delivery.rejected import rejected

PATIENCE_S = 0.3


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEASE_S", 0.3)


@pytest.fixture
def consumer(client: redis.Redis, keys: Keys) -> Callable[[], Held]:
    """`consumer()`: one that has joined."""

    def made() -> Held:
        held = Held(client, keys, patience_s=PATIENCE_S)
        held.join()
        return held

    return made


def put(client: redis.Redis, keys: Keys, *messages: bytes) -> None:
    for message in messages:
        client.lpush(keys.queue, message)


def move(client: redis.Redis, keys: Keys, held: Held) -> bytes:
    """What the command that takes does, without waiting."""
    found = client.lmove(keys.queue, keys.taken(held.consumer), "RIGHT", "LEFT")
    assert isinstance(found, bytes)
    return found


def everything(client: redis.Redis, keys: Keys) -> list[bytes]:
    """Every message, wherever it is."""
    lists = [keys.queue, *(key.decode() for key in client.keys(keys.taken("*")))]
    return sorted([m for key in lists for m in client.lrange(key, 0, -1)] + client.hvals(keys.held))


def test_a_message_goes_from_the_queue_to_one_hand_and_is_done(
    client: redis.Redis, keys: Keys, consumer: Callable[[], Held]
) -> None:
    put(client, keys, b"first", b"second")
    held = consumer()
    assert move(client, keys, held) == b"first"
    assert everything(client, keys) == [b"first", b"second"]
    tag = held.claim()
    assert tag is not None
    assert everything(client, keys) == [b"first", b"second"]
    held.done(tag)
    assert everything(client, keys) == [b"second"]
    assert not client.exists(keys.held, keys.held_since, keys.taken(held.consumer))


def test_the_words_of_the_command_are_those_that_take(client: redis.Redis, keys: Keys) -> None:
    held = Held(client, keys, patience_s=PATIENCE_S)
    words = held.join()
    put(client, keys, b"one")
    assert client.execute_command(*words, 1) == b"one"
    assert held.claim() is not None
    assert client.execute_command(*words, 0.01) is None


def test_what_was_taken_and_not_claimed_comes_again_when_its_consumer_has_died(
    client: redis.Redis, keys: Keys, consumer: Callable[[], Held]
) -> None:
    put(client, keys, b"one", b"two")
    dead, living = consumer(), consumer()
    move(client, keys, dead)
    living.sweep(())
    assert client.lrange(keys.queue, 0, -1) == [b"two"]
    time.sleep(0.4)
    living.sweep(())
    # It is the next, as it was the oldest
    assert client.lrange(keys.queue, 0, -1) == [b"two", b"one"]
    assert client.smembers(keys.consumers) == {living.consumer.encode()}
    # and whoever was only slow finds that it is somebody else's
    assert dead.claim() is None


def test_what_is_held_comes_again_after_a_while_unless_it_is_worked_at(
    client: redis.Redis, keys: Keys, consumer: Callable[[], Held]
) -> None:
    put(client, keys, b"left", b"worked at")
    dead, living = consumer(), consumer()
    move(client, keys, dead)
    dead.claim()
    move(client, keys, living)
    tag = living.claim()
    for _ in range(4):
        time.sleep(0.15)
        living.sweep([str(tag)])
    assert client.lrange(keys.queue, 0, -1) == [b"left"]
    assert client.hvals(keys.held) == [b"worked at"]


def test_messages_given_back_are_the_next_in_their_order(
    client: redis.Redis, keys: Keys, consumer: Callable[[], Held]
) -> None:
    put(client, keys, b"one", b"two", b"three")
    held = consumer()
    tags = []
    for _ in range(2):
        move(client, keys, held)
        tags.append(str(held.claim()))
    held.give_back(tags)
    held.give_back(tags)
    assert client.lrange(keys.queue, 0, -1) == [b"three", b"two", b"one"]


def test_whoever_leaves_gives_back_at_once(
    client: redis.Redis, keys: Keys, consumer: Callable[[], Held]
) -> None:
    put(client, keys, b"one")
    held = consumer()
    move(client, keys, held)
    held.leave()
    assert client.lrange(keys.queue, 0, -1) == [b"one"]
    assert not client.exists(keys.consumers)


def test_a_connection_that_was_lost_is_another_consumer(
    client: redis.Redis, keys: Keys, consumer: Callable[[], Held]
) -> None:
    put(client, keys, b"one")
    held = consumer()
    first = held.consumer
    move(client, keys, held)
    held.join()
    assert held.consumer != first
    assert held.claim() is None
    time.sleep(0.4)
    held.sweep(())
    assert client.lrange(keys.queue, 0, -1) == [b"one"]


def test_a_message_that_always_dies_with_its_worker_is_set_aside(
    client: redis.Redis, keys: Keys, consumer: Callable[[], Held], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(client, keys, b"deadly")
    living = Held(client, keys, patience_s=0.0)
    for _ in range(MOST_DEATHS):
        assert client.llen(keys.queue) == 1
        living.take()
        time.sleep(0.002)
        living.sweep(())
    assert client.llen(keys.queue) == 0
    (one,) = rejected(client, keys)
    assert (one.kind, one.message) == ("queued", b"deadly")
    assert "10 times" in one.reason


def test_a_full_redis_still_gives_its_messages(
    client: redis.Redis, keys: Keys, consumer: Callable[[], Held]
) -> None:
    # Given a Redis that takes nothing more
    put(client, keys, b"x" * 100_000)
    held = consumer()
    before = client.config_get("maxmemory")["maxmemory"]
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            move(client, keys, held)
        assert client.llen(keys.queue) == 1

        # I expect the message to be taken, renewed, and given back all the same
        found = held.take()
        assert found is not None and found[1] == b"x" * 100_000
        assert client.hlen(keys.held) == 1
        held.sweep([found[0]])
        held.give_back([found[0]])
        assert client.llen(keys.queue) == 1
    finally:
        client.config_set("maxmemory", before)
