"""The load that checks every result, in short: with deaths of workers and of Redis."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.load import Load, Outcome
from benchmarks.load_site import LoadSite, marked_pictures
from facetrail.queue_state import in_hand


@pytest.fixture
def chips(tmp_path: Path) -> Path:
    folder = tmp_path / "chips"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / "one.jpg"), noise)
    return folder


def loaded(folder: Path, chips: Path, **changes: object) -> Outcome:
    given = {
        "rate": 100.0,
        "seconds": 8.0,
        "workers": 2,
        "encoder": None,
        "sleep_ms": 0.0,
        "kill_every": 0.0,
        "restart_redis": False,
        "ttl": 60.0,
        "threads": 1,
        "seed": 1,
    }
    site = LoadSite(folder)
    try:
        site.enrol_stand_ins(20)
        tracks = marked_pictures(chips, range(20), range(100, 110))
        return Load(site, tracks, argparse.Namespace(**(given | changes))).run()
    finally:
        site.close()


def test_nothing_is_lost_said_twice_or_wrong_while_workers_and_redis_die(
    tmp_path: Path, chips: Path
) -> None:
    found = loaded(tmp_path / "site", chips, kill_every=2.0, restart_redis=True)
    assert found.kills >= 2 and found.redis_restarts == 1
    assert (found.unaccounted, found.twice, found.wrong) == (0, 0, 0), found.examples
    assert found.sent >= 800 and found.tracks >= 100


def test_what_is_more_than_workers_can_do_is_skipped_and_counted(
    tmp_path: Path, chips: Path
) -> None:
    # Given a worker that can do 80 faces a second, and three times as many
    found = loaded(
        tmp_path / "site", chips, workers=1, rate=240.0, sleep_ms=400.0, ttl=2.0, seconds=10.0
    )
    assert found.outcomes["expired"] > 0 and found.outcomes["recognised"] > 0
    assert sum(found.outcomes.values()) == found.sent
    # How many of these were in time is for a quiet machine to say.
    assert found.within_ttl is not None
    assert found.within_ttl[1] == found.outcomes["recognised"]


def test_a_worker_that_is_asked_to_stop_gives_back_what_it_has_not_begun(
    tmp_path: Path, chips: Path
) -> None:
    # Given a worker with many messages in hand, whose batches take a second
    site = LoadSite(tmp_path / "site")
    try:
        site.enrol_stand_ins(20)
        tracks = marked_pictures(chips, range(20), range(100, 110))
        site.send(tracks.messages(1_500))
        worker = site.start_worker("benchmarks.stand_in", "--sleep-ms", "1000")
        site.wait_until_counted(16, within_s=60)
        assert in_hand(site.client, site.keys) > 10

        # If it is asked to stop, I expect the rest to be in the queue when it is gone
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
        assert in_hand(site.client, site.keys) == 0
        done = sum(site.outcomes().values())
        assert int(site.client.llen(site.keys.queue)) >= (tracks.sent - done) // 16
    finally:
        site.workers.clear()
        site.close()
