"""What kombu's own transport loses, ours does not: real workers, real deaths."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from benchmarks import kills
from benchmarks.kills import DONE, TRANSPORTS, Transport
from facetrail.children import end
from facetrail.embedded_redis import EmbeddedRedis
from facetrail.queue_state import in_hand
from facetrail.store import Keys, connect

WaitFor = Callable[..., None]


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[tuple[str, redis.Redis]]:
    """A Redis of its own: its address, and a client."""
    server = EmbeddedRedis(tmp_path / "redis")
    url = server.start()
    client = connect(url)
    yield url, client
    client.close()
    server.stop()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_worker_that_dies_as_it_takes_a_message(
    transport: Transport, queue: tuple[str, redis.Redis], keys: Keys, wait_for: WaitFor
) -> None:
    # Given a message, and a worker that is killed in the instant it has been given it
    url, client = queue
    kills.send(url, 1)
    command = [sys.executable, "-m", "tests.workers.delivery.dying", transport, url]
    assert subprocess.run(command, timeout=60, check=False).returncode == -signal.SIGKILL

    # If another one works for long enough
    worker = kills.start(transport, url)
    try:
        if transport == "kombu":
            # I expect nothing of kombu: the message is nowhere
            assert not client.llen(keys.queue) and not client.hlen("facetrail:unacked")
        else:
            wait_for(lambda: client.getbit(DONE, 0), timeout_s=30)
            wait_for(lambda: not in_hand(client, keys))
    finally:
        end(worker, wait_s=10)


def test_nothing_is_lost_while_workers_are_killed_again_and_again(tmp_path: Path) -> None:
    found = kills.run("ours", seed=1, messages=3_000, every_s=0.4, folder=tmp_path)
    assert found.kills > 3
    assert found.lost == 0
