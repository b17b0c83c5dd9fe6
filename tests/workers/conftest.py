"""Made chips and what is said of them; the vote they go to; real workers on a real queue."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
import redis

from facetrail.broker import celery_app
from facetrail.children import end
from facetrail.embedded_redis import EmbeddedRedis
from facetrail.events import MatchEvent, Person, parse
from facetrail.store import Keys, connect
from facetrail.wire import TASK, Encoder, Encodings, FaceChip, Message, Quality, TrackEnded
from index.enrolment import Enroller
from index.face_index import Candidate
from index.followers import followers
from index.gallery import Gallery
from ingest.faces.align import align
from ingest.faces.face import Detector, Picture
from workers.call import Call, Context, chip_call, end_call, skip_call
from workers.recognise import Judgement
from workers.strangers import Strangers
from workers.vote import Votes as WorkersVotes

CONFIRM, UNKNOWN = 3, 5
EPOCH = 1_800_000_000_000
#: Nanoseconds; the chips of a track are a fifth of a second apart.
BEGAN = EPOCH * 1_000_000

ADA = Person(id="a0", name="Ada", external_id="emp-7")
BEN = Person(id="b0", name="Ben")
ENCODER = "dlib_resnet@55533b28"
CONTEXT = Context(
    encoder=ENCODER,
    threshold=0.37,
    index_position="7-0",
    people={person.id: person for person in (ADA, BEN)},
)

Said = Callable[[], list[MatchEvent]]


class Votes(WorkersVotes):
    """As a worker of some name has them, and what a test tells them raises what they fail with."""

    def __init__(self, *given: Any, worker: str = "one", **options: Any) -> None:
        super().__init__(*given, **options)
        self._worker = worker

    def count(
        self, made: Sequence[FaceChip], judgements: Sequence[Judgement], context: Context
    ) -> None:
        pairs = zip(made, judgements, strict=True)
        self._told([chip_call(one, said, context, worker=self._worker) for one, said in pairs])

    def skip(self, one: FaceChip, reason: str) -> None:
        self._told([skip_call(one, reason)])

    def end(self, one: TrackEnded) -> None:
        self._told([end_call(one)])

    def _told(self, calls: Sequence[Call]) -> None:
        for error in self.run(calls):
            if error is not None:
                raise error


VotesOf = Callable[..., Votes]


def jpeg(width: int = 112, height: int = 112, *, kind: str = ".jpg") -> bytes:
    """A picture of noise."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.imencode(kind, noise)[1].tobytes()


def chip(number: int = 1, **changes: object) -> FaceChip:
    """The chip of that number of a track."""
    made = FaceChip(
        chip_id=f"chip-{number}",
        camera="lobby",
        stream_epoch=EPOCH,
        track=1,
        number=number,
        captured_at=BEGAN + number * 200_000_000,
        box=(160.0, 90.0, 80.0, 90.0),
        frame_size=(640, 360),
        landmarks=((180, 120), (220, 120), (200, 140), (185, 160), (215, 160)),
        detection_score=0.75,
        quality=Quality(height=90, sharpness=120.5, yaw=0.125, score=0.5),
        zones=("door",),
        jpeg=b"chip %d" % number,
        context=b"around chip %d" % number,
    )
    return msgspec.structs.replace(made, **changes)


def chips(count: int, **changes: object) -> list[FaceChip]:
    return [chip(number, **changes) for number in range(1, count + 1)]


def ended(sent: int, **changes: object) -> TrackEnded:
    """The last word on the same track."""
    made = TrackEnded(
        camera="lobby", stream_epoch=EPOCH, track=1, ended_at=BEGAN + 10**10, chips_sent=sent
    )
    return msgspec.structs.replace(made, **changes)


def face(number: int, *, turned: float = 0.0) -> Encodings:
    """Somebody's encoding, `(128,)`. turned: distance to the same face seen best, about."""
    made = np.eye(128, dtype=np.float32)[number] + turned * np.eye(128, dtype=np.float32)[127]
    return made / np.linalg.norm(made)


def saying(
    person: Person | None, weight: float = 0.5, encoding: Encodings | None = None
) -> Judgement:
    """A judgement for that person, or for nobody; of face 0, unless another is given."""
    shown = face(0) if encoding is None else encoding
    if person is None:
        return Judgement(None, None, None, None, weight, shown)
    nearest, second = Candidate(person.id, 0.25), Candidate("c0", 0.5)
    return Judgement(person.id, nearest, second, 0.25, weight, shown)


def count(votes: Votes, made: list[FaceChip], person: Person | None, weight: float = 0.5) -> None:
    """Counts chips that all say the same."""
    votes.count(made, [saying(person, weight)] * len(made), CONTEXT)


@pytest.fixture
def votes_of(client: redis.Redis, keys: Keys) -> VotesOf:
    """`votes_of("one", redelivery_s=2)`: the votes as a worker of that name counts them."""

    def made(worker: str = "one", **changes: int) -> Votes:
        options = {
            "confirm": CONFIRM,
            "unknown": UNKNOWN,
            "history": 1000,
            "snapshot_ttl_s": 100,
            "unknown_ttl_s": 1000,
            "redelivery_s": 5,
        }
        strangers = Strangers(client, keys, encoder=ENCODER)
        return Votes(client, keys, worker=worker, strangers=strangers, **(options | changes))

    return made


@pytest.fixture
def votes(votes_of: VotesOf) -> Votes:
    return votes_of()


@pytest.fixture
def said(client: redis.Redis, keys: Keys) -> Callable[[], list[MatchEvent]]:
    """`said()`: every event so far."""

    return lambda: every_event(client, keys)


@pytest.fixture
def later(client: redis.Redis, keys: Keys) -> Callable[[float], None]:
    """`later(2)`: every track was last heard of, and is due, two seconds earlier."""

    def shift(seconds: float) -> None:
        for key in (keys.open_tracks, keys.closing_tracks):
            for track, _ in client.zrange(key, 0, -1, withscores=True):
                client.zincrby(key, -seconds * 1000, track)

    return shift


def kinds(events: list[MatchEvent]) -> list[str]:
    return [event.type for event in events]


def every_event(client: redis.Redis, keys: Keys) -> list[MatchEvent]:
    entries = client.xrange(keys.events)
    return [parse(fields[b"event"], sequence.decode()) for sequence, fields in entries]


class Site:
    """A Redis, two people enrolled from photos, and worker processes on the queue."""

    def __init__(self, folder: Path, cache_dir: Path, enrol: Callable[[Gallery], None]) -> None:
        self.folder, self.cache_dir = folder, cache_dir
        self.redis = EmbeddedRedis(folder / "redis")
        self.url = self.redis.start()
        self.client, self.keys = connect(self.url), Keys()
        self.gallery = Gallery(self.client, self.keys)
        enrol(self.gallery)
        self.app = celery_app(self.url, key_prefix=self.keys.prefix)
        self.workers: list[subprocess.Popen[bytes]] = []

    def start_worker(self, **variables: str) -> subprocess.Popen[bytes]:
        """An empty variable takes one away."""
        environment = os.environ | {
            "FACETRAIL_REDIS_URL": self.url,
            "FACETRAIL_CACHE_DIR": str(self.cache_dir),
            "FACETRAIL_ENCODER": "dlib_resnet",
            "FACETRAIL_THREADS": "1",
            "FACETRAIL_REDELIVERY_S": "3",
        }
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "workers"]
            given = {name: value for name, value in (environment | variables).items() if value}
            worker = subprocess.Popen(command, env=given, stderr=log, stdout=log)
        self.workers.append(worker)
        return worker

    @property
    def log(self) -> Path:
        return self.folder / "workers.log"

    def is_ready(self, worker: subprocess.Popen[bytes]) -> bool:
        return self.applied(worker) is not None

    def applied(self, worker: subprocess.Popen[bytes]) -> str | None:
        """The position of the gallery's log that the worker has applied."""
        every = followers(self.client, self.keys)
        own = [one.position for one in every if one.worker.startswith(f"{name_of(worker)}-")]
        return own[0] if own else None

    def send(self, *items: FaceChip | TrackEnded) -> None:
        self.send_body(bytes(Message(items=items)))

    def send_body(self, *arguments: object, **options: str) -> None:
        self.app.send_task(TASK, args=arguments, retry=False, ignore_result=True, **options)

    def events(self, camera: str) -> list[MatchEvent]:
        return [e for e in every_event(self.client, self.keys) if e.camera == camera]

    def close(self) -> None:
        for worker in self.workers:
            end(worker, wait_s=15)
        self.app.close()
        self.client.close()
        self.redis.stop()


def name_of(worker: subprocess.Popen[bytes]) -> str:
    """What its names begin with; a part drawn at each start follows."""
    return f"{socket.gethostname()}-{worker.pid}"


def workers_of(events: Sequence[MatchEvent]) -> set[str]:
    """The workers that said the events, by the names of `name_of`."""
    return {str(event.worker).rpartition("-")[0] for event in events}


def seen(jpeg: bytes, number: int = 1, **changes: object) -> FaceChip:
    """A chip of that picture, seen this moment."""
    return chip(number, **{"jpeg": jpeg, "captured_at": time.time_ns()} | changes)


@pytest.fixture(scope="session")
def faces(detector: Detector, astronaut: Picture, hopper: Picture) -> dict[str, bytes]:
    """A chip each of two people, by name."""
    made = {}
    for name, picture in {"Eileen": astronaut, "Grace": hopper}.items():
        aligned = align(picture, detector.detect(picture)[0].landmarks)
        assert aligned is not None
        made[name] = cv2.imencode(".jpg", aligned[..., ::-1])[1].tobytes()
    return made


@pytest.fixture(scope="session")
def enrol(
    detector: Detector,
    encoder: Encoder,
    astronaut: Picture,
    hopper: Picture,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Gallery], None]:
    """`enrol(gallery)`: both, by their photos."""
    folder = tmp_path_factory.mktemp("photos")
    pictures = {"Eileen": astronaut, "Grace": hopper}
    for name, picture in pictures.items():
        cv2.imwrite(str(folder / f"{name}.png"), picture[..., ::-1])

    def enrol_both(gallery: Gallery) -> None:
        enroller = Enroller(gallery, detector, encoder, min_face=40)
        for name in pictures:
            enroller.enrol(name, [folder / f"{name}.png"])

    return enrol_both


@pytest.fixture
def site(tmp_path: Path, cache_dir: Path, enrol: Callable[[Gallery], None]) -> Iterator[Site]:
    made = Site(tmp_path, cache_dir, enrol)
    yield made
    made.close()
