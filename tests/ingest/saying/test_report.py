"""What a camera's process says of itself, and for how long that counts."""

from __future__ import annotations

import threading
import time

import redis

from facetrail.store import Keys
from ingest.camera import NOT_OPENED, Camera
from ingest.saying.outbox import CHIP_BYTES, Outbox
from ingest.saying.report import Reporter
from ingest.saying.status import KEPT_S, CameraStatus, status_of
from tests.ingest.wares import chip


def test_a_camera_says_how_it_is(client: redis.Redis, keys: Keys) -> None:
    # Given a camera of which ten frames were looked at, and one of three chips gave way
    outbox = Outbox(2 * CHIP_BYTES + 100)
    outbox.put(chip(track, 1) for track in range(1, 4))
    reader = Camera("lobby", "rtsp://h/s", fps=5, stop=threading.Event())
    reporter = Reporter(client, keys, reader, outbox)
    for _ in range(10):
        reporter.looked()

    # If it says so two seconds later
    reporter.step(time.monotonic() + 2.0)

    # I expect that to stand in Redis for a while
    status, other = status_of(client, keys, ["lobby", "yard"])
    assert other is None and status is not None
    assert 4.0 < status.fps <= 5.0
    plain = CameraStatus(
        lost=NOT_OPENED,
        fps=status.fps,
        clock="arrival",
        codec=None,
        size=None,
        waiting=2,
        dropped={"dropped_outbox_full": 1},
    )
    assert status == plain
    assert 0 < client.pttl(keys.camera_status("lobby")) <= KEPT_S * 1000


def test_each_time_it_says_what_was_since_the_last(client: redis.Redis, keys: Keys) -> None:
    reader = Camera("lobby", "rtsp://h/s", fps=5, stop=threading.Event())
    reporter = Reporter(client, keys, reader, Outbox(1000))
    began = time.monotonic()
    reporter.looked()
    reporter.step(began + 2.0)
    reporter.step(began + 4.0)
    (status,) = status_of(client, keys, ["lobby"])
    assert status is not None and status.fps == 0.0
