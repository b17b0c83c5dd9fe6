"""Hosts share cameras: each its part, a dead one's by the others, and none by two."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from facetrail.embedded_redis import EmbeddedRedis
from facetrail.store import Keys, connect
from ingest.sharing.hosts import Host, hosts, say
from ingest.sharing.keeper import LEFT_S, OWNER_S, Keeper
from ingest.sharing.leases import LEASE_S, RENEW_S

CAMERAS = tuple(f"c{i}" for i in range(12))

Make = Callable[..., Keeper]


@pytest.fixture
def keeper(client: redis.Redis, keys: Keys) -> Make:
    """`keeper("a")` is one host's, whose thread does not run: tests take its steps."""

    def made(name: str, *, wanted: tuple[str, ...] = CAMERAS, cores: float = 4.0) -> Keeper:
        keeper = Keeper(client, keys, name, spare_cores=lambda: cores)
        keeper.wanted = wanted
        return keeper

    return made


def rounds(count: int, *keepers: Keeper, now: float = 100.0) -> float:
    """So many rounds of each, whose processes start and end at once; the time after them."""
    for _ in range(count):
        for keeper in keepers:
            keeper.step(now)
            keeper.reading = keeper.may_read(now)
        read = [name for keeper in keepers for name in keeper.may_read(now)]
        assert len(read) == len(set(read))
        now += RENEW_S
    return now


def counts(*keepers: Keeper, now: float) -> list[int]:
    return [len(keeper.may_read(now)) for keeper in keepers]


def test_a_host_alone_reads_all(keeper: Make) -> None:
    one = keeper("a")
    now = rounds(2, one)
    assert one.may_read(now) == set(CAMERAS)


def test_hosts_that_start_together_share_by_their_cores(keeper: Make) -> None:
    three = keeper("a"), keeper("b"), keeper("c", cores=2.0)
    now = rounds(2, *three)
    assert counts(*three, now=now) == [5, 5, 2]


def test_a_host_that_joins_gets_its_share_once(keeper: Make) -> None:
    # Given two hosts that read all cameras
    a, b, c = keeper("a"), keeper("b"), keeper("c")
    now = rounds(3, a, b)
    assert counts(a, b, now=now) == [6, 6]

    # If another one joins, I expect a third of them to move there, and then none
    now = rounds(40, a, b, c, now=now)
    assert counts(a, b, c, now=now) == [4, 4, 4]
    stay = [keeper.may_read(now) for keeper in (a, b, c)]
    now = rounds(20, a, b, c, now=now)
    assert [keeper.may_read(now) for keeper in (a, b, c)] == stay


def test_a_dead_hosts_cameras_are_shared_by_the_others(
    keeper: Make, client: redis.Redis, keys: Keys
) -> None:
    # Given three hosts, one of which dies
    a, b, c = keeper("a"), keeper("b"), keeper("c")
    now = rounds(3, a, b, c)
    client.delete(keys.host("c"), *(keys.lease(name) for name in c.may_read(now)))

    # I expect one round to be enough
    now = rounds(1, a, b, now=now)
    assert counts(a, b, now=now) == [6, 6]
    assert [host.name for host in hosts(client, keys)] == ["a", "b"]


def test_a_lease_is_freed_only_when_nobody_reads_the_camera(
    keeper: Make, client: redis.Redis, keys: Keys
) -> None:
    # Given a camera that is wanted no more, whose process still ends its tracks
    one = keeper("a", wanted=("lobby", "yard"))
    now = rounds(2, one)
    one.wanted = ("yard",)
    for _ in range(4):
        one.step(now)
    assert one.may_read(now) == {"yard"}
    assert client.get(keys.lease("lobby")) == b"a"

    # If it has ended
    one.reading = frozenset({"yard"})
    one.step(now)
    assert client.get(keys.lease("lobby")) is None


def test_another_hosts_camera_is_left_to_it(keeper: Make, client: redis.Redis, keys: Keys) -> None:
    client.set(keys.lease("lobby"), "them")
    one = keeper("a", wanted=("lobby", "yard"))
    now = rounds(3, one)
    assert one.may_read(now) == {"yard"}
    client.set(keys.lease("yard"), "them")
    now = rounds(1, one, now=now)
    assert one.may_read(now) == set()


def test_a_camera_only_one_host_knows_is_read_whatever_its_share(
    keeper: Make, client: redis.Redis, keys: Keys
) -> None:
    # Given a large host, to which nearly all should go, and which wants none
    say(client, keys, Host(name="large", cores=100.0, cameras=()), lease_s=60)
    one = keeper("a", cores=1.0)
    now = rounds(2, one)
    assert counts(one, now=now) == [1]
    now = rounds(4, one, now=now)
    assert counts(one, now=now) == [12]


def test_what_was_given_is_not_taken_back_at_once(
    keeper: Make, client: redis.Redis, keys: Keys
) -> None:
    # Given a host that gives cameras to another, which is slow to take them
    one = keeper("a", wanted=CAMERAS[:3])
    now = rounds(2, one)
    b = Host(name="b", cores=4.0, cameras=(), wants=frozenset(CAMERAS))
    say(client, keys, b, lease_s=60)
    now = rounds(4, one, now=now)
    assert counts(one, now=now) == [2]
    freed = round(LEFT_S / RENEW_S) - 2
    now = rounds(freed, one, now=now)
    assert counts(one, now=now) == [2]

    # If it never does, I expect them to be read again
    now = rounds(3, one, now=now)
    assert counts(one, now=now) == [3]


def test_hosts_whose_files_differ_come_to_rest(keeper: Make) -> None:
    # Given a host whose file names one camera only, beside one whose file names all
    all_of_them, few = keeper("a", wanted=CAMERAS[1:]), keeper("b", wanted=("other",))
    now = rounds(12, all_of_them, few)

    # I expect every camera to stay where it is
    for _ in range(30):
        now = rounds(1, all_of_them, few, now=now)
        assert counts(all_of_them, few, now=now) == [len(CAMERAS) - 1, 1]


def test_an_owner_that_hangs_loses_its_leases(
    client: redis.Redis, keys: Keys, wait_for: Callable[..., None]
) -> None:
    # Given a host that reads, in a thread of its own
    one = Keeper(client, keys, "a", spare_cores=lambda: 4.0)
    one.wanted = ("lobby",)
    one.start()
    try:
        wait_for(lambda: client.get(keys.lease("lobby")) == b"a")

        # If nobody says that the reading goes on, I expect the lease to run out
        one.alive_at = time.monotonic() - OWNER_S - 1
        wait_for(lambda: client.get(keys.lease("lobby")) is None)
    finally:
        one.stop()


def test_a_host_that_cant_be_understood_is_there(
    keeper: Make, client: redis.Redis, keys: Keys
) -> None:
    client.sadd(keys.hosts, "new")
    client.set(keys.host("new"), b'{"version": 2}')
    one = keeper("a")
    rounds(6, one)
    assert not one.alone


@pytest.mark.parametrize(("others", "stays"), [(False, True), (True, False)])
def test_a_host_without_redis_reads_on_only_where_it_was_alone(
    others: bool, stays: bool, tmp_path: Path, keys: Keys
) -> None:
    # Given a host that reads a camera, alone or beside another
    server = EmbeddedRedis(tmp_path)
    client = connect(server.start())
    one = Keeper(client, keys, "a", spare_cores=lambda: 4.0)
    one.wanted = ("lobby",)
    if others:
        say(client, keys, Host(name="b", cores=0.1, cameras=()), lease_s=60)
    now = rounds(2, one)
    assert one.may_read(now) == {"lobby"}

    # If Redis is away for a moment, I expect the camera to be read on
    server.stop()
    with pytest.raises(redis.ConnectionError):
        one.step(now)
    assert one.may_read(now) == {"lobby"}

    # and for longer than a lease only by a host that knows of no other
    later = now + LEASE_S
    assert (one.may_read(later) == {"lobby"}) == stays
    server.start()
    later = rounds(2, one, now=later)
    assert one.may_read(later) == {"lobby"}
    client.close()
    server.stop()


@pytest.mark.usefixtures("client")
def test_a_redis_that_is_silent_holds_nobody_up(silent_port: int, keys: Keys) -> None:
    client = connect(f"redis://127.0.0.1:{silent_port}/0")
    client.connection_pool.connection_kwargs |= {"socket_timeout": 1.0}
    one = Keeper(client, keys, "a", spare_cores=lambda: 4.0)
    one.start()
    began = time.monotonic()
    assert one.may_read(began) == set()
    assert time.monotonic() - began < 0.5
    one.stop()
    client.close()
