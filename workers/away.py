"""A Redis that does not answer, or takes no writes now."""

from __future__ import annotations

import redis
from redis.exceptions import OutOfMemoryError, ReadOnlyError

AWAY = (redis.ConnectionError, redis.TimeoutError, OutOfMemoryError, ReadOnlyError)
#: Words of a Redis that takes no writes now, as a script passes them on: it is full, its disk
#: is broken, it has become a replica, or it is at a long script.
REFUSALS = ("OOM", "MISCONF", "READONLY", "BUSY ")


def is_away(error: redis.RedisError) -> bool:
    """Whether waiting mends it."""
    return isinstance(error, AWAY) or any(word in str(error) for word in REFUSALS)
