"""The hosts that read cameras: each says what it carries, and sees what the others do."""

from __future__ import annotations

import msgspec
import redis

from facetrail.store import Keys


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """What an ingest process says of itself in Redis.

    name: as in its leases. cores: processor cores that are there for cameras, by what others on
    the machine leave. cameras: names of those it reads.
    """

    name: str
    cores: float
    cameras: tuple[str, ...]

    @property
    def load(self) -> float:
        """Cameras per core."""
        return len(self.cameras) / self.cores


def say(client: redis.Redis, keys: Keys, host: Host, *, lease_s: float) -> None:
    """Tells the others, for as long as a lease lasts."""
    pipe = client.pipeline(transaction=False)
    pipe.set(keys.host(host.name), msgspec.json.encode(host), px=round(lease_s * 1000))
    pipe.sadd(keys.hosts, host.name)
    pipe.execute()


def hosts(client: redis.Redis, keys: Keys) -> list[Host]:
    """Every host that is there, by name; names of others are forgotten."""
    names = sorted(name.decode() for name in client.smembers(keys.hosts))
    if not names:
        return []
    said = client.mget([keys.host(name) for name in names])
    gone = [name for name, line in zip(names, said, strict=True) if line is None]
    if gone:
        client.srem(keys.hosts, *gone)
    return [msgspec.json.decode(line, type=Host) for line in said if line is not None]


def leave(client: redis.Redis, keys: Keys, name: str) -> None:
    """Says that a host has ended."""
    client.delete(keys.host(name))
    client.srem(keys.hosts, name)
