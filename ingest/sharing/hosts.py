"""The hosts that read cameras: each says what it carries, and sees what the others do."""

from __future__ import annotations

import msgspec
import redis
import structlog

from facetrail.roll_call import answers
from facetrail.store import Keys

log = structlog.get_logger(__name__)


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """What an ingest process says of itself in Redis.

    name: as in its leases. cores: processor cores that are there for cameras, by what others on
    the machine leave. cameras: names of those it reads; wants: of all that its file names.
    """

    name: str
    cores: float
    cameras: tuple[str, ...]
    wants: frozenset[str] = frozenset()

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
    said = answers(client, keys.hosts, keys.host)
    return [_host(one) for one in said]


def _host(said: bytes) -> Host:
    """One that can't be understood, perhaps of another version, is there, and no more."""
    try:
        return msgspec.json.decode(said, type=Host)
    except msgspec.DecodeError:
        log.warning("a host says what can't be understood: have all of one version")
        return Host(name="", cores=1.0, cameras=())


def leave(client: redis.Redis, keys: Keys, name: str) -> None:
    """Says that a host has ended."""
    client.delete(keys.host(name))
    client.srem(keys.hosts, name)
