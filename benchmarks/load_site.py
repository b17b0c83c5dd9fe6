"""A Redis with thousands of people, workers, and tracks of chips whose truth is known."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import psutil

from benchmarks import stand_in
from facetrail.broker import celery_app
from facetrail.children import end, end_with_parent
from facetrail.embedded_redis import EmbeddedRedis
from facetrail.events import MatchEvent, parse
from facetrail.queue_state import counters
from facetrail.store import Keys, connect
from facetrail.wire import TASK, FaceChip, Message, Quality, TrackEnded
from index.gallery import Gallery
from index.photo import Photo

#: Of those whose chips are sent, one in so many is nobody enrolled.
STRANGERS = 5
#: Chips of a track: enough for a name, and for none.
CHIPS = 8
#: Of those, so many have a person confirmed, as `FACETRAIL_CONFIRM_CHIPS` is by itself.
CONFIRM = 3
CAMERAS = 16
#: How the truth is told: an id as `Keys.vote` has it to a person, or None.
Truth = dict[tuple[str, int, int], str | None]


@dataclass(slots=True)
class Tracks:
    """Makes messages of chips, of as many tracks as a message has chips, and knows their truth.

    pictures: JPEGs of a person or, under None, of nobody. per_message: chips.
    """

    pictures: dict[str | None, Sequence[bytes]]
    context: bytes
    per_message: int
    seed: int = 0
    truth: Truth = field(default_factory=dict)
    #: When the chip was captured that has a person confirmed, in nanoseconds.
    confirming: dict[tuple[str, int, int], int] = field(default_factory=dict)
    sent: int = 0
    _epoch: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    _made: int = 0

    def messages(self, chips: int) -> Iterator[bytes]:
        """So many chips and a few more, in whole tracks; then the tracks' ends."""
        draw = random.Random(self.seed + self._made)
        people = [name for name in self.pictures if name is not None]
        while chips > 0:
            first = self._made + 1
            who = [self._who(draw, people) for _ in range(self.per_message)]
            self._made += self.per_message
            for number in range(1, CHIPS + 1):
                items = [
                    self._chip(first + place, number, draw.choice(self.pictures[name]))
                    for place, name in enumerate(who)
                ]
                self.sent += len(items)
                yield bytes(Message(items=tuple(items)))
            ends = [self._ended(first + place) for place in range(self.per_message)]
            yield bytes(Message(items=tuple(ends)))
            for place, name in enumerate(who):
                self.truth[self._camera(first + place), self._epoch, first + place] = name
            chips -= self.per_message * CHIPS

    def _who(self, draw: random.Random, people: Sequence[str]) -> str | None:
        is_known = None not in self.pictures or draw.random() > 1 / STRANGERS
        return draw.choice(people) if people and is_known else None

    def _camera(self, track: int) -> str:
        return f"camera-{track % CAMERAS}"

    def _chip(self, track: int, number: int, jpeg: bytes) -> FaceChip:
        now = time.time_ns()
        if number == CONFIRM:
            self.confirming[self._camera(track), self._epoch, track] = now
        return FaceChip(
            chip_id=f"{track}-{number}",
            camera=self._camera(track),
            stream_epoch=self._epoch,
            track=track,
            number=number,
            captured_at=now,
            box=(160.0, 90.0, 80.0, 90.0),
            frame_size=(640, 360),
            landmarks=((180, 120), (220, 120), (200, 140), (185, 160), (215, 160)),
            detection_score=0.9,
            quality=Quality(height=90, sharpness=120.0, yaw=0.1, score=0.8),
            jpeg=jpeg,
            context=self.context,
        )

    def _ended(self, track: int) -> TrackEnded:
        return TrackEnded(
            camera=self._camera(track),
            stream_epoch=self._epoch,
            track=track,
            ended_at=time.time_ns(),
            chips_sent=CHIPS,
        )


class LoadSite:
    """One machine's Redis, its gallery, and worker processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.redis = EmbeddedRedis(folder / "redis")
        self.url = self.redis.start()
        self.client, self.keys = connect(self.url), Keys()
        self.app = celery_app(self.url, key_prefix=self.keys.prefix)
        self.gallery = Gallery(self.client, self.keys)
        self.workers: list[subprocess.Popen[bytes]] = []

    def enrol_stand_ins(self, people: int, encoder: str = stand_in.ID) -> None:
        """So many people, by the numbers of `stand_in`."""
        for number in range(people):
            photo = Photo(
                digest=hashlib.sha256(b"%d" % number).hexdigest(),
                source=f"{number}.jpg",
                encoding=stand_in.rows()[number].tobytes(),
                chip=b"",
            )
            self.gallery.enrol(f"P{number}", [photo], encoder=encoder)

    def start_worker(self, *command: str, **variables: str) -> subprocess.Popen[bytes]:
        environment = os.environ | {"FACETRAIL_REDIS_URL": self.url} | variables
        with (self.folder / "workers.log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", *command],
                env=environment,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent,
            )
        self.workers.append(worker)
        return worker

    def wait_until_ready(self, workers: int, within_s: float = 120.0) -> None:
        """Until so many workers follow the gallery."""
        deadline = time.monotonic() + within_s
        while len(self.client.keys(self.keys.applied("*"))) < workers:
            self.look(deadline)

    def look(self, deadline: float) -> None:
        """Raises RuntimeError where a worker has ended, or the time is over."""
        if any(worker.poll() is not None for worker in self.workers):
            raise RuntimeError((self.folder / "workers.log").read_text())
        if time.monotonic() > deadline:
            raise RuntimeError("waited in vain; " + (self.folder / "workers.log").read_text())
        time.sleep(0.05)

    def send(self, messages: Iterator[bytes]) -> None:
        with self.app.pool.acquire(block=True) as connection:
            with self.app.amqp.Producer(connection) as producer:
                for body in messages:
                    self.app.send_task(
                        TASK, args=[body], producer=producer, retry=False, ignore_result=True
                    )

    def wait_until_counted(self, chips: int, within_s: float) -> None:
        """Until so many chips were recognised or dropped."""
        deadline = time.monotonic() + within_s
        while sum(self.outcomes().values()) < chips:
            self.look(deadline)

    def outcomes(self) -> dict[str, int]:
        """What became of chips."""
        counted = counters(self.client, self.keys)
        return {name: count for name, count in counted.items() if name != "rejected"}

    def wait_until_quiet(self, within_s: float = 30.0) -> None:
        """Until every vote is closed."""
        deadline = time.monotonic() + within_s
        while self.client.zcard(self.keys.open_tracks) and time.monotonic() < deadline:
            time.sleep(0.1)

    def events(self) -> list[MatchEvent]:
        entries = self.client.xrange(self.keys.events)
        return [parse(fields[b"event"], sequence.decode()) for sequence, fields in entries]

    def restart_redis(self) -> None:
        """Kills it, as a machine that fails does, and starts it again with what is on disk."""
        process = psutil.Process(self.redis.pid)
        process.kill()
        process.wait()
        self.redis.start()

    def end_workers(self) -> None:
        for worker in self.workers:
            end(worker, wait_s=15)
        self.workers.clear()
        self.client.delete(*self.client.keys(self.keys.applied("*")), self.keys.workers)

    def close(self) -> None:
        self.end_workers()
        self.app.close()
        self.client.close()
        self.redis.stop()


def marked_pictures(folder: Path, people: Sequence[int], strangers: Sequence[int]) -> Tracks:
    """Tracks of real chips that bear the numbers of enrolled stand-ins, and of others."""
    paths = sorted(folder.rglob("*.jpg"))[:64]
    chips = [stand_in.read(path) for path in paths]

    def one(number: int) -> bytes:
        return stand_in.jpeg_of(stand_in.marked(chips[number % len(chips)], number))

    pictures: dict[str | None, Sequence[bytes]] = {f"P{n}": [one(n)] for n in people}
    pictures[None] = [one(n) for n in strangers]
    context = stand_in.jpeg_of(np.asarray(cv2.resize(chips[0], (256, 256)), np.uint8), 80)
    return Tracks(pictures, context, per_message=16)


def wrong(events: list[MatchEvent], truth: Truth) -> list[str]:
    """What was said that is not so, or twice, or not at all; a line for each track."""
    said: dict[tuple[str, int, int], list[tuple[str, str | None]]] = defaultdict(list)
    for event in events:
        if (
            event.track is not None
            and event.stream_epoch is not None
            and "update" not in event.type
        ):
            key = (event.camera, event.stream_epoch, event.track)
            said[key].append((event.type, event.person.name if event.person else None))
    found = []
    for key, name in truth.items():
        kind = "unknown" if name is None else "person"
        expected = [(f"{kind}_enter", name), (f"{kind}_exit", name)]
        if said[key] != expected:
            found.append(f"{key}: expected {expected}, got {said[key]}")
    return found
