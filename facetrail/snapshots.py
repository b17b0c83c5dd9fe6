"""Pictures of events, by name."""

from __future__ import annotations

import msgspec
import redis

from facetrail.settings import read_settings
from facetrail.store import Keys, answered, connect


class Snapshot(msgspec.Struct, frozen=True):
    """chip: the aligned 112x112 JPEG. context: a JPEG with the surroundings, or empty."""

    chip: bytes
    context: bytes

    def __repr__(self) -> str:
        return f"Snapshot({len(self.chip)} and {len(self.context)} jpeg bytes)"


def keep(client: redis.Redis, keys: Keys, name: str, snapshot: Snapshot, ttl_s: int) -> None:
    """Keeps it for `ttl_s` seconds; 0 keeps none."""
    if ttl_s:
        client.set(keys.snapshot(name), msgspec.msgpack.encode(snapshot), ex=ttl_s)


def get(name: str, url: str | None = None) -> Snapshot | None:
    """The snapshot of an event, or None if it is no longer kept. Raises RedisAway."""
    settings = read_settings()
    client = connect(url or settings.redis_url)
    with answered(client):
        found = client.get(Keys(settings.key_prefix).snapshot(name))
    return None if found is None else msgspec.msgpack.decode(found, type=Snapshot)
