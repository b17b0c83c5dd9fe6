"""A worker that opened an encoder for an empty gallery takes the one that people come with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import redis

from facetrail.store import Keys
from index.gallery import Gallery
from tests.end_to_end.conftest import START_S, Start


def test_a_worker_starts_anew_with_the_encoder_that_the_gallery_was_bound_to(
    start: Start,
    client: redis.Redis,
    keys: Keys,
    wait_for: Callable[..., None],
    test_data: Path,
    model_dir: Path,
) -> None:
    # Given a worker that took the best encoder on disk
    worker = start("workers", FACETRAIL_MODEL_DIR=str(model_dir))
    wait_for(lambda: client.keys(keys.applied("*")), timeout_s=START_S)
    (first,) = client.keys(keys.applied("*"))

    # If somebody is enrolled with another one
    photo = str(test_data / "videos" / "obama.jpg")
    enroll = ("enroll", "Barack Obama", photo)
    enrolled = start("facetrail.cli", *enroll, FACETRAIL_ENCODER="dlib_resnet")
    assert enrolled.wait(START_S) == 0

    # I expect the same process to serve that one, under a new name
    gallery = Gallery(client, keys)
    wait_for(
        lambda: gallery.position().encode() in client.mget(client.keys(keys.applied("*"))),
        timeout_s=START_S,
    )
    assert worker.poll() is None
    (second,) = set(client.keys(keys.applied("*"))) - {first}
    assert client.get(second) == gallery.position().encode()
