"""One lease per camera: two never hold it, and a dead one's goes to the next."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import redis

from facetrail.store import Keys, connect
from ingest.sharing.leases import LEASE_S, RENEW_S, Leases, owners

Wait = Callable[..., None]


def test_two_never_hold_a_lease(client: redis.Redis, keys: Keys) -> None:
    first, second = Leases(client, keys, "first"), Leases(client, keys, "second")
    assert first.take("lobby")
    assert not second.take("lobby")
    assert first.take("lobby")
    assert second.take("yard")
    assert not first.take("yard")


@pytest.mark.usefixtures("client")
def test_one_of_many_who_ask_at_once_gets_it(keys: Keys, redis_url: str) -> None:
    owners, got = range(16), []
    start = threading.Barrier(len(owners))

    def ask(owner: int) -> None:
        own = connect(redis_url)
        leases = Leases(own, keys, str(owner))
        start.wait()
        got.extend(owner for _ in range(20) if leases.take("lobby"))
        own.close()

    threads = [threading.Thread(target=ask, args=[owner]) for owner in owners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == 1 and len(got) == 20


def test_a_lease_that_is_not_renewed_goes_to_the_next(
    client: redis.Redis, keys: Keys, wait_for: Wait
) -> None:
    first = Leases(client, keys, "first", lease_s=0.3)
    second = Leases(client, keys, "second", lease_s=0.3)
    assert first.take("lobby")
    assert not second.take("lobby")
    wait_for(lambda: second.take("lobby"), timeout_s=2)
    assert not first.take("lobby")


def test_many_are_taken_at_once_and_told_apart(client: redis.Redis, keys: Keys) -> None:
    first, second = Leases(client, keys, "first"), Leases(client, keys, "second")
    second.take("yard")
    assert first.take("lobby", "yard", "door") == ["lobby", "door"]
    assert first.free_ones(["lobby", "roof", "yard"]) == ["roof"]
    assert first.take() == []
    assert dict(owners(client, keys, ["lobby", "yard", "roof"])) == {
        "lobby": "first",
        "yard": "second",
        "roof": None,
    }


def test_renewing_keeps_a_lease(client: redis.Redis, keys: Keys) -> None:
    leases = Leases(client, keys, "first", lease_s=5)
    leases.take("lobby")
    client.pexpire(keys.lease("lobby"), 100)
    leases.take("lobby")
    assert client.pttl(keys.lease("lobby")) > 4_000


def test_a_lease_given_back_is_free_at_once(client: redis.Redis, keys: Keys) -> None:
    first, second = Leases(client, keys, "first"), Leases(client, keys, "second")
    first.take("lobby")
    second.free("lobby")
    assert not second.take("lobby")
    first.free("lobby")
    assert second.take("lobby")
    first.free("nobody's")


def test_a_dead_hosts_cameras_are_read_again_within_ten_seconds() -> None:
    assert LEASE_S + RENEW_S <= 6  # and four for a process to start, beside others
    assert LEASE_S >= 3 * RENEW_S  # one renewal may fail
