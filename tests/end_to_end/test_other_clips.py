"""Clips of other people: none of the four enrolled may be named in them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
import redis
from pydantic import SecretStr

from facetrail.cameras import Camera as CameraSettings
from facetrail.events import replay
from facetrail.settings import Settings
from facetrail.store import Keys
from facetrail.wire import Encoder, Message
from index.enrolment import Enroller
from index.gallery import Gallery
from index.replica import Replica
from ingest.camera import Camera
from ingest.faces.face import Detector
from ingest.look import Watch
from ingest.looking.detectors import first_detector, second_detector
from ingest.reading.packets import Shot
from ingest.saying.outbox import Item, Outbox
from tests.workers.conftest import Votes
from workers.batcher import Batcher
from workers.encoders.registry import open_encoder
from workers.strangers import Strangers
from workers.tasks import Service

CLIPS = (
    "five_faces_1080p.mp4",
    "five_faces_720p.mp4",
    "one_by_one_432p.mp4",
    "street_no_faces.h265",
)
PHOTOS = ("lin-manuel-miranda.png", "alex-lacamoire.png", "obama.jpg", "biden.jpg")


@pytest.fixture(scope="module")
def seen(test_data: Path, model_dir: Path, cache_dir: Path) -> dict[str, list[Item]]:
    """What ingest makes of each clip, as fast as it can be decoded."""
    settings = Settings(model_dir=model_dir, cache_dir=cache_dir)
    return {clip: _items(test_data / "videos" / clip, settings) for clip in CLIPS}


@pytest.mark.slow
@pytest.mark.parametrize("encoder_name", ["dlib_resnet", "retail0095"])
def test_nobody_enrolled_is_named_where_they_are_not(
    encoder_name: str,
    seen: dict[str, list[Item]],
    client: redis.Redis,
    keys: Keys,
    cache_dir: Path,
    model_dir: Path,
    test_data: Path,
    detector: Detector,
) -> None:
    encoder = open_encoder(encoder_name, model_dir=model_dir, cache_dir=cache_dir, device="cpu")
    gallery = Gallery(client, keys)
    for photo in PHOTOS:
        path = test_data / "videos" / photo
        enrolment = Enroller(gallery, detector, encoder, min_face=40).enrol(path.stem, [path])
        assert enrolment.accepted

    service = _service(client, keys, encoder)
    for items in seen.values():
        for at in range(0, len(items), 16):
            service.take(bytes(Message(items=tuple(items[at : at + 16]))))
    service.batcher.close()

    assert len(seen["five_faces_1080p.mp4"]) > 50
    assert len(seen["five_faces_720p.mp4"]) > 50
    events = list(replay(client, keys, "0"))
    assert {event.type for event in events} == {"unknown_enter", "unknown_exit"}


def _items(clip: Path, settings: Settings) -> list[Item]:
    stop = threading.Event()
    outbox = Outbox(1_000_000_000)
    name = clip.stem
    camera = CameraSettings(name=name, url=SecretStr(str(clip)))
    watch = Watch(
        camera,
        first_detector(settings, camera),
        outbox,
        least_score=settings.detection_score,
        second=second_detector(settings, camera),
    )

    def unpaced(address: str, _: threading.Event) -> Iterator[Shot]:
        with av.open(address) as container:
            yield from (Shot(frame, frame.time) for frame in container.decode(video=0))
        stop.set()

    for frame in Camera(name, str(clip), fps=camera.fps, stop=stop, opener=unpaced).frames():
        watch.look(frame)
    watch.end_tracks(time.time_ns())
    return [item for _ in range(len(outbox)) for item in outbox.take(0.0)]


def _service(client: redis.Redis, keys: Keys, encoder: Encoder) -> Service:
    replica = Replica(client, keys, worker="here", encoder=encoder.id)
    replica.load()
    votes = Votes(
        client,
        keys,
        worker="here",
        confirm=3,
        unknown=5,
        history=1000,
        snapshot_ttl_s=60,
        unknown_ttl_s=60,
        redelivery_s=10,
        strangers=Strangers(client, keys, encoder=encoder.id),
    )
    return Service(
        client=client,
        keys=keys,
        encoder=encoder,
        replica=replica,
        batcher=Batcher(encoder.encode, size=32, wait_s=0.01),
        votes=votes,
        chip_ttl_s=600.0,
        stop=threading.Event(),
    )
