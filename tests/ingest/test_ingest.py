"""Which cameras a host reads, and how many processes it starts at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr

from facetrail.cameras import Camera
from facetrail.embedded_redis import EmbeddedRedis
from facetrail.store import Keys, connect
from ingest.__main__ import Ingest
from ingest.leases import Leases
from ingest.watcher import Watcher

#: End with their stdin; the first says that it lives.
LIVES = ("sh", "-c", "echo .; cat > /dev/null")
SILENT = ("sh", "-c", "cat > /dev/null")

Wait = Callable[..., None]
Running = Callable[..., AbstractContextManager[list[Watcher]]]


@pytest.fixture
def running(keys: Keys) -> Running:
    """`with running(client, 3, LIVES) as watchers:` runs a host with three cameras."""

    @contextmanager
    def host(client: redis.Redis, count: int, command: tuple[str, ...]) -> Iterator[list[Watcher]]:
        made: list[Watcher] = []

        def watcher(camera: Camera) -> Watcher:
            made.append(Watcher(camera, command=command))
            return made[-1]

        cameras = [Camera(name=f"c{i}", url=SecretStr("rtsp://h")) for i in range(count)]
        ingest = Ingest(cameras, Leases(client, keys, "us"), watcher=watcher)
        stop = threading.Event()
        thread = threading.Thread(target=ingest.loop, args=[stop])
        thread.start()
        yield made
        stop.set()
        thread.join()
        ingest.shutdown()
        assert not any(one.running for one in made)

    return host


def lively(watchers: list[Watcher]) -> list[str]:
    """The cameras whose processes have said that they live."""
    return [one.camera.name for one in watchers if one.running and not one.starting]


def test_every_camera_is_read_and_its_lease_freed_at_the_end(
    running: Running, client: redis.Redis, keys: Keys, wait_for: Wait
) -> None:
    with running(client, 5, LIVES) as watchers:
        wait_for(lambda: len(lively(watchers)) == 5)
        assert len(client.keys(keys.lease("*"))) == 5
    assert client.keys(keys.lease("*")) == []


def test_no_more_start_at_once_than_there_are_cores(
    running: Running, client: redis.Redis, keys: Keys, wait_for: Wait
) -> None:
    cores = os.cpu_count() or 1
    with running(client, cores + 2, SILENT) as watchers:
        wait_for(lambda: sum(one.running for one in watchers) == cores)
        # Once leases are renewed, it has looked again
        client.delete(*client.keys(keys.lease("*")))
        wait_for(lambda: len(client.keys(keys.lease("*"))) == cores + 2)
        assert sum(one.running for one in watchers) == cores


def test_a_camera_another_host_reads_is_left_to_it(
    running: Running, client: redis.Redis, keys: Keys, wait_for: Wait
) -> None:
    # Given two cameras, one of which another host reads
    client.set(keys.lease("c0"), "them")
    with running(client, 2, LIVES) as watchers:
        wait_for(lambda: lively(watchers) == ["c1"])

        # If it takes the other one too, I expect us to let go
        client.set(keys.lease("c1"), "them")
        wait_for(lambda: not lively(watchers))

        # and to read what it gives back
        client.delete(keys.lease("c0"))
        wait_for(lambda: lively(watchers) == ["c0"])
    assert client.get(keys.lease("c1")) == b"them"


def test_cameras_stay_read_while_redis_is_away(
    running: Running, tmp_path: Path, wait_for: Wait
) -> None:
    server = EmbeddedRedis(tmp_path)
    client = connect(server.start())
    with running(client, 1, LIVES) as watchers:
        wait_for(lambda: lively(watchers))
        (pid,) = [one.pid for one in watchers]
        server.stop()
        with pytest.raises(redis.ConnectionError):
            client.ping()
        assert lively(watchers) == ["c0"]
        server.start()
        wait_for(lambda: client.keys("*"))
        assert [one.pid for one in watchers] == [pid]
    client.close()
    server.stop()
