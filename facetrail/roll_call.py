"""Who is there: each says so in a key that ends by itself, and is named in a set."""

from __future__ import annotations

from collections.abc import Callable

import redis


def answers(client: redis.Redis, names: str, key_of: Callable[[str], str]) -> list[bytes]:
    """What everyone who is there has said, by name; names of others are forgotten.

    names: the key of the set. key_of: where somebody of a name says it.
    """
    said = asked(client, names, key_of)
    gone = [name for name, one in said.items() if one is None]
    if gone:
        client.srem(names, *gone)
    return [one for one in said.values() if one is not None]


def asked(client: redis.Redis, names: str, key_of: Callable[[str], str]) -> dict[str, bytes | None]:
    """What each has said, by name; None of who has said nothing, or no longer says it."""
    called = sorted(name.decode() for name in client.smembers(names))
    said = client.mget([key_of(name) for name in called]) if called else []
    return dict(zip(called, said, strict=True))
