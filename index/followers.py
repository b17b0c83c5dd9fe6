"""How far each worker has followed the gallery."""

from __future__ import annotations

import msgspec
import redis

from facetrail.roll_call import answers
from facetrail.store import Keys
from index.reader import GalleryReader
from index.replica import Applied


def followers(client: redis.Redis, keys: Keys) -> list[Applied]:
    """The workers that run, by name. Those that ended are no longer listed."""
    said = answers(client, keys.workers, keys.applied)
    return [msgspec.json.decode(one, type=Applied) for one in said]


def behind(gallery: GalleryReader, position: str) -> int:
    """How many changes came after a position."""
    return len(gallery.client.xrange(gallery.keys.gallery_log, min=f"({position}"))
