"""What kombu's own transport loses, ours does not: real workers, real deaths."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import redis

from benchmarks import kills
from benchmarks.kills import DONE, TRANSPORTS, Transport
from benchmarks.load_site import LoadSite, marked_pictures
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
    found = kills.run("ours", seed=1, messages=6_000, every_s=0.7, folder=tmp_path)
    assert found.kills > 3
    assert found.lost == 0


def test_work_that_takes_long_is_not_given_to_another(
    tmp_path: Path, queue: tuple[str, redis.Redis], keys: Keys, wait_for: WaitFor
) -> None:
    # Given two workers whose batch takes longer than a message of a dead one waits
    site = LoadSite(tmp_path / "site")
    try:
        site.enrol_stand_ins(4)
        chips = tmp_path / "chips"
        _write_a_chip(chips)
        tracks = marked_pictures(chips, range(4), range(100, 104))
        for _ in range(2):
            site.start_worker(
                "benchmarks.stand_in", "--sleep-ms", "8000", FACETRAIL_REDELIVERY_S="3"
            )
        site.wait_until_ready(2)
        messages = tracks.messages(16)
        site.send(iter([next(messages)]))

        # I expect each chip to be counted once, and no message to have come again
        site.wait_until_counted(16, within_s=30)
        assert site.outcomes() == {"recognised": 16}
        assert "come again" not in (tmp_path / "site" / "workers.log").read_text()
        assert not site.client.exists(keys.deaths)
    finally:
        site.close()


def _write_a_chip(folder: Path) -> None:
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    cv2.imwrite(os.fspath(folder / "one.jpg"), noise)
