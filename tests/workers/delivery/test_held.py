"""A message is in Redis at every moment, and comes again when whoever had it has ended."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import redis

from facetrail.queue_state import in_hand
from facetrail.store import Keys
from workers.delivery.held import MOST_DEATHS, Held
from workers.delivery.rejected import rejected

PATIENCE_S = 0.3


@pytest.fixture
def worker(client: redis.Redis, keys: Keys) -> Callable[[], Held]:
    """`worker()`: what one has in hand."""

    def made() -> Held:
        held = Held(client, keys, patience_s=PATIENCE_S)
        held.load()
        return held

    return made


def put(client: redis.Redis, keys: Keys, *messages: bytes) -> None:
    for message in messages:
        client.lpush(keys.queue, message)


def wait(client: redis.Redis, held: Held, tag: str) -> object:
    return client.execute_command(*held.waiting(tag, 0.01))


def take(client: redis.Redis, held: Held, *tags: str) -> object:
    return client.execute_command(*held.taking(tags))


def everything(client: redis.Redis, keys: Keys) -> list[bytes]:
    """Every message, wherever it is."""
    lists = [keys.queue, *(key.decode() for key in client.keys(keys.held("*")))]
    return sorted(message for key in lists for message in client.lrange(key, 0, -1))


def test_a_message_that_is_waited_for_goes_from_the_queue_to_one_hand_and_is_done(
    client: redis.Redis, keys: Keys, worker: Callable[[], Held]
) -> None:
    put(client, keys, b"first", b"second")
    held = worker()
    assert wait(client, held, "a") == b"first"
    assert everything(client, keys) == [b"first", b"second"]
    assert in_hand(client, keys) == 1
    held.done("a")
    held.flush()
    assert everything(client, keys) == [b"second"]
    assert not client.exists(keys.held_since, keys.held("a"))
    assert wait(client, held, "b") == b"second"
    assert wait(client, held, "c") is None
    assert in_hand(client, keys) == 1


def test_several_are_taken_in_one_step_and_what_is_finished_is_forgotten_in_it(
    client: redis.Redis, keys: Keys, worker: Callable[[], Held]
) -> None:
    put(client, keys, *(b"%d" % number for number in range(5)))
    held = worker()
    assert take(client, held, "a", "b", "c") == [b"0", b"1", b"2"]
    held.done("b")
    assert take(client, held, "d", "e", "f") == [b"3", b"4"]
    assert everything(client, keys) == [b"0", b"2", b"3", b"4"]
    assert set(client.zrange(keys.held_since, 0, -1)) == {b"a", b"c", b"d", b"e"}


def test_what_nobody_works_at_comes_again_and_is_the_next(
    client: redis.Redis, keys: Keys, worker: Callable[[], Held]
) -> None:
    # Given a worker that died with one that it waited for and one that it took, beside a living one
    put(client, keys, b"waited for", b"taken", b"worked at", b"new")
    dead, living = worker(), worker()
    wait(client, dead, "a")
    take(client, dead, "b")
    take(client, living, "c")
    for _ in range(4):
        time.sleep(0.15)
        living.sweep(["c"])
    assert client.lrange(keys.queue, 0, -1)[0] == b"new"
    assert set(client.lrange(keys.queue, 1, -1)) == {b"waited for", b"taken"}
    assert in_hand(client, keys) == 1
    assert client.lrange(keys.held("c"), 0, -1) == [b"worked at"]


def test_a_place_that_nothing_came_into_is_forgotten(
    client: redis.Redis, keys: Keys, worker: Callable[[], Held]
) -> None:
    dead, living = worker(), worker()
    wait(client, dead, "a")
    time.sleep(PATIENCE_S + 0.1)
    living.sweep(())
    assert not client.exists(keys.held_since, keys.queue)


def test_messages_given_back_are_the_next_in_their_order(
    client: redis.Redis, keys: Keys, worker: Callable[[], Held]
) -> None:
    put(client, keys, b"one", b"two", b"three")
    held = worker()
    take(client, held, "a", "b")
    held.give_back(["a", "b"])
    held.give_back(["a", "b"])
    assert client.lrange(keys.queue, 0, -1) == [b"three", b"two", b"one"]
    assert not client.exists(keys.held_since)


def test_a_message_that_always_dies_with_its_worker_is_set_aside(
    client: redis.Redis, keys: Keys
) -> None:
    put(client, keys, b"deadly")
    held = Held(client, keys, patience_s=0.0)
    held.load()
    for number in range(MOST_DEATHS):
        assert client.llen(keys.queue) == 1
        take(client, held, str(number))
        time.sleep(0.002)
        held.sweep(())
    assert everything(client, keys) == []
    (one,) = rejected(client, keys)
    assert (one.kind, one.message) == ("queued", b"deadly")
    assert "10 times" in one.reason


def test_a_full_redis_still_gives_its_messages(
    client: redis.Redis, keys: Keys, worker: Callable[[], Held]
) -> None:
    # Given a Redis that takes nothing more
    put(client, keys, b"x" * 100_000)
    held = worker()
    before = client.config_get("maxmemory")["maxmemory"]
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            wait(client, held, "a")
        assert client.llen(keys.queue) == 1

        # I expect the message to be taken, renewed, given back and done with all the same
        assert take(client, held, "b") == [b"x" * 100_000]
        assert in_hand(client, keys) == 1
        held.sweep(["b"])
        held.give_back(["b"])
        assert client.llen(keys.queue) == 1
        take(client, held, "c")
        held.done("c")
        held.flush()
        assert everything(client, keys) == []
    finally:
        client.config_set("maxmemory", before)
