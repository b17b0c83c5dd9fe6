"""How much waits in the queue, how much workers have in hand, and what became of the rest."""

from __future__ import annotations

import redis

from facetrail.store import Keys


def waiting(client: redis.Redis, keys: Keys) -> int:
    """Messages that no worker has taken."""
    return int(client.llen(keys.queue))


def in_hand(client: redis.Redis, keys: Keys) -> int:
    """Messages that a worker has taken and not finished."""
    tags = client.zrange(keys.held_since, 0, -1)
    with client.pipeline(transaction=False) as pipe:
        for tag in tags:
            pipe.exists(keys.held(tag.decode()))
        return sum(pipe.execute())


def counters(client: redis.Redis, keys: Keys) -> dict[str, int]:
    """Chips by what became of them since ever, and messages set aside; by name."""
    return {name.decode(): int(n) for name, n in sorted(client.hgetall(keys.counters).items())}
