"""Who is there: each says so in a key that ends by itself, and is named in a set."""

from __future__ import annotations

from collections.abc import Callable

import redis


def answers(client: redis.Redis, names: str, key_of: Callable[[str], str]) -> list[bytes]:
    """What everyone who is there has said, by name; names of others are forgotten.

    names: the key of the set. key_of: where somebody of a name says it.
    """
    called = sorted(name.decode() for name in client.smembers(names))
    if not called:
        return []
    said = client.mget([key_of(name) for name in called])
    gone = [name for name, one in zip(called, said, strict=True) if one is None]
    if gone:
        client.srem(names, *gone)
    return [one for one in said if one is not None]
