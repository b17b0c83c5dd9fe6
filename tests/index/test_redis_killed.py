"""Redis dies while people are enrolled: nothing that was acknowledged is lost."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import redis

from facetrail.embedded_redis import EmbeddedRedis
from facetrail.store import Keys, connect
from index.gallery import Gallery
from index.photo import ENROLLED, Photo
from index.replica import Replica

ENCODER = "dlib_resnet@55533b28"
PhotoOf = Callable[[int], Photo]
WaitFor = Callable[..., None]


def enrol_until(
    stop: threading.Event, gallery: Gallery, photo: PhotoOf, first: int, done: list[int]
) -> None:
    """One person after the other, each tried until it is acknowledged or known to be there."""
    number = first
    while not stop.is_set():
        try:
            if gallery.owner_of(photo(number).digest) is None:
                gallery.enrol(f"Person {number}", [photo(number)], encoder=ENCODER)
        except redis.RedisError:
            stop.wait(0.01)
            continue
        done.append(number)
        number += 1


def test_nothing_acknowledged_is_lost_when_redis_is_killed(
    server: EmbeddedRedis, photo: PhotoOf, wait_for: WaitFor
) -> None:
    # Given two clients that enrol and a worker that follows
    stop = threading.Event()
    acknowledged: list[list[int]] = [[], []]
    threads = [
        threading.Thread(
            target=enrol_until,
            args=(stop, Gallery(connect(server.url), Keys()), photo, 10_000 * i, done),
        )
        for i, done in enumerate(acknowledged)
    ]
    replica = Replica(connect(server.url), Keys(), worker="one", encoder=ENCODER)
    replica.load()
    threads.append(threading.Thread(target=replica.follow, args=(stop,)))
    for thread in threads:
        thread.start()

    # If Redis is killed and started again, three times
    for _ in range(3):
        before = len(acknowledged[0]), len(acknowledged[1])
        wait_for(
            lambda before=before: all(
                len(done) > count + 20 for done, count in zip(acknowledged, before, strict=True)
            ),
            timeout_s=20,
        )
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        wait_for(server.died)
        server.start()
    stop.set()
    for thread in threads:
        thread.join()

    # I expect everyone who was acknowledged, whole, and the follower to know the same
    gallery = Gallery(connect(server.url), Keys())
    people = {person.name: person.id for person in gallery.people()}
    for number in [number for done in acknowledged for number in done]:
        (found,) = gallery.photos(people[f"Person {number}"])
        assert found == photo(number)
    rows = {
        row.tobytes() for records in gallery.records(ENCODER) for row in records.encodings(ENROLLED)
    }
    assert len(rows) == len(people)
    while replica.view.position != gallery.position():
        replica.step(block_ms=1)
    assert {r.tobytes() for own in replica.encodings().values() for r in own} == rows
