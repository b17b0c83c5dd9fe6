"""Galleries of made-up people."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import redis

from facetrail.embedded_redis import EmbeddedRedis
from facetrail.store import Keys
from facetrail.wire import Encodings
from index.gallery import Gallery
from index.photo import Photo


@pytest.fixture
def gallery(client: redis.Redis, keys: Keys) -> Gallery:
    return Gallery(client, keys)


@pytest.fixture(scope="session")
def unit() -> Callable[..., Encodings]:
    """`unit(n, seed=0)`: float32 `(n, 128)`, random rows of length 1."""

    def made(count: int, seed: int = 0) -> Encodings:
        rows = np.random.default_rng(seed).normal(size=(count, 128))
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)

    return made


@pytest.fixture(scope="session")
def photo(unit: Callable[..., Encodings]) -> Callable[..., Photo]:
    """`photo(seed)`: a photo with a random encoding and its own digest."""

    def made(seed: int) -> Photo:
        return Photo(
            digest=hashlib.sha256(str(seed).encode()).hexdigest(),
            source=f"{seed}.jpg",
            encoding=unit(1, seed)[0].astype("<f4").tobytes(),
            chip=b"\xff\xd8 chip %d" % seed,
        )

    return made


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis of this test's own, with its append-only file."""
    own = EmbeddedRedis(tmp_path)
    own.start()
    yield own
    own.stop()
