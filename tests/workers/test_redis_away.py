"""A Redis that goes away and comes back, or is not there at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from facetrail.queue_state import in_hand
from facetrail.wire import FaceChip, TrackEnded
from index.gallery import Gallery
from index.photo import Photo
from ingest.saying.outbox import Outbox
from ingest.send import Sender
from tests.workers.conftest import Site, ended, name_of, seen, workers_of

WaitFor = Callable[..., None]
TRACKS, CHIPS = 20, 5


@pytest.fixture(scope="module", autouse=True)
def without_redis() -> Iterator[subprocess.Popen[str]]:
    """A worker that looks for a Redis while the other tests run: it takes ten seconds."""
    environment = os.environ | {"FACETRAIL_REDIS_URL": "redis://ada:s3cr%20et@127.0.0.1:9/0"}
    command = [sys.executable, "-m", "workers"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as worker:
        yield worker
        worker.kill()


def test_nothing_is_lost_while_redis_is_away(
    site: Site, faces: dict[str, bytes], wait_for: WaitFor
) -> None:
    # Given a worker, and an ingest's sender that is handed chips of twenty appearances
    worker = site.start_worker()
    wait_for(lambda: site.is_ready(worker), timeout_s=60)
    outbox = Outbox(64_000_000)
    sender = Sender(site.app, site.client, site.keys, outbox, queue_limit=200)
    sender.start()
    began = time.monotonic()
    for step in range(TRACKS + CHIPS):
        wait_for(lambda step=step: time.monotonic() - began >= step * 0.2)
        made: list[FaceChip | TrackEnded] = [
            seen(faces["Grace"], step - track + 1, track=track + 1)
            for track in range(max(0, step - CHIPS + 1), min(step + 1, TRACKS))
        ]
        over = step - CHIPS + 1
        outbox.put([*made, ended(CHIPS, track=over)] if over > 0 else made)

        # If Redis is stopped for two seconds meanwhile
        if step == 5:
            site.redis.stop()
        if step == 15:
            site.redis.start()

    # I expect every match, once, from the same worker
    wait_for(lambda: len(site.events("lobby")) >= 2 * TRACKS, timeout_s=15)
    events = site.events("lobby")
    assert Counter(event.type for event in events) == {
        "person_enter": TRACKS,
        "person_exit": TRACKS,
    }
    assert len({event.id for event in events}) == 2 * TRACKS
    assert workers_of(events) == {name_of(worker)}
    assert not outbox.dropped
    sender.stop()


def test_a_worker_asked_to_stop_while_redis_is_away_ends(
    site: Site, faces: dict[str, bytes], wait_for: WaitFor
) -> None:
    # Given a worker with chips in its hands whose Redis goes
    worker = site.start_worker(FACETRAIL_BATCH_WAIT_MS="2000")
    wait_for(lambda: site.is_ready(worker), timeout_s=60)
    site.send(*(seen(faces["Grace"], number) for number in range(1, 4)), ended(3))
    wait_for(lambda: in_hand(site.client, site.keys))
    site.redis.stop()
    wait_for(lambda: b"Redis is away" in site.log.read_bytes(), timeout_s=15)

    # If it is asked to stop, I expect it to end
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(15) == 0, site.log.read_text()

    # and the next worker, once Redis is there, to do what it could not
    site.redis.start()
    following = site.start_worker()
    wait_for(lambda: len(site.events("lobby")) == 2, timeout_s=30)
    assert workers_of(site.events("lobby")) == {name_of(following)}


def test_a_gallery_of_another_encoder_is_one_sentence(site: Site, wait_for: WaitFor) -> None:
    for person in site.gallery.people():
        site.gallery.remove(person.name)
    photo = Photo(digest="d", source="s", encoding=bytes(512), chip=b"")
    Gallery(site.client, site.keys).enrol("Ada", [photo], encoder="retail0095@00000000")
    worker = site.start_worker()
    assert worker.wait(25) == 1
    said = site.log.read_text()
    assert said.startswith("facetrail worker: FACETRAIL_ENCODER=dlib_resnet, but the gallery")
    assert "retail0095@00000000" in said and said.count("\n") == 1


def test_a_redis_that_is_not_there_is_one_sentence(
    without_redis: subprocess.Popen[str],
) -> None:
    _, said = without_redis.communicate(timeout=20)
    assert without_redis.returncode == 1
    assert said.startswith("facetrail worker: Redis at 127.0.0.1:9 does not answer (")
    assert said.count("\n") == 1
    assert "s3cr" not in said and "Traceback" not in said
