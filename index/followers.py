"""How far each worker has followed the gallery."""

from __future__ import annotations

import msgspec
import redis

from facetrail.store import Keys
from index.reader import GalleryReader
from index.replica import Applied


def followers(client: redis.Redis, keys: Keys) -> list[Applied]:
    """The workers that run, by name. Those that ended are no longer listed."""
    names = sorted(name.decode() for name in client.smembers(keys.workers))
    if not names:
        return []
    said = client.mget([keys.applied(name) for name in names])
    ended = [name for name, one in zip(names, said, strict=True) if one is None]
    if ended:
        client.srem(keys.workers, *ended)
    return [msgspec.json.decode(one, type=Applied) for one in said if one is not None]


def behind(gallery: GalleryReader, position: str) -> int:
    """How many changes came after a position."""
    return len(gallery.client.xrange(gallery.keys.gallery_log, min=f"({position}"))
