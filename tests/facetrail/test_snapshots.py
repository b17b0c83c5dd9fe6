"""Pictures of events are kept by name, for a time."""

from __future__ import annotations

import msgspec
import pytest
import redis

from facetrail import snapshots
from facetrail.errors import RedisAway
from facetrail.snapshots import Snapshot
from facetrail.store import Keys

PICTURES = Snapshot(chip=b"\xff\xd8 a face", context=b"\xff\xd8 a room")


def test_a_snapshot_is_got_by_its_name(client: redis.Redis, keys: Keys, redis_url: str) -> None:
    client.set(keys.snapshot("one"), msgspec.msgpack.encode(PICTURES))  # as vote.lua does

    assert snapshots.get("one", redis_url) == PICTURES
    assert snapshots.get("another", redis_url) is None


def test_repr_shows_sizes_and_no_picture() -> None:
    assert repr(PICTURES) == "Snapshot(9 and 9 jpeg bytes)"


def test_a_redis_that_is_away_is_told() -> None:
    with pytest.raises(RedisAway, match="Redis at /nowhere does not answer"):
        snapshots.get("one", "unix:///nowhere")
