"""A worker that opened an encoder for an empty gallery takes the one that people come with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import redis

from facetrail.store import Keys
from index.followers import followers
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

    # If somebody is enrolled with another one
    photo = str(test_data / "videos" / "obama.jpg")
    enroll = ("enroll", "Barack Obama", photo)
    enrolled = start("facetrail.cli", *enroll, FACETRAIL_ENCODER="dlib_resnet")
    assert enrolled.wait(START_S) == 0

    # I expect the same process to serve that one, under a new name
    gallery = Gallery(client, keys)

    def serving() -> list[str]:
        """Workers that have applied everything, and by which encoder."""
        every = followers(client, keys)
        return [one.encoder for one in every if one.position == gallery.position()]

    wait_for(lambda: serving() == [gallery.encoder], timeout_s=START_S)
    assert worker.poll() is None

    # and if the gallery is moved to the other encoder, the same again
    moved = start("facetrail.cli", "people", "re-encode", "--encoder", "retail0095")
    assert moved.wait(START_S) == 0
    assert (gallery.encoder or "").startswith("retail0095@")
    wait_for(lambda: serving() == [gallery.encoder], timeout_s=START_S)
    assert worker.poll() is None
    assert [person.name for person in gallery.people()] == ["Barack Obama"]
