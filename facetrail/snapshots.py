"""Pictures of events, by name."""

from __future__ import annotations

import msgspec

from facetrail.embedded_redis import running_url
from facetrail.settings import read_settings
from facetrail.store import Keys, answered, connect


class Snapshot(msgspec.Struct, frozen=True):
    """chip: the aligned 112x112 JPEG. context: a JPEG with the surroundings, or empty."""

    chip: bytes
    context: bytes

    def __repr__(self) -> str:
        return f"Snapshot({len(self.chip)} and {len(self.context)} jpeg bytes)"


def get(name: str, url: str | None = None) -> Snapshot | None:
    """The snapshot of an event, or None if it is no longer kept. Raises RedisAway.

    url: of Redis, found as `facetrail.subscribe` does.
    """
    settings = read_settings()
    client = connect(url or settings.redis_url or running_url(settings.data_dir))
    with answered(client):
        found = client.get(Keys(settings.key_prefix).snapshot(name))
    return None if found is None else msgspec.msgpack.decode(found, type=Snapshot)
