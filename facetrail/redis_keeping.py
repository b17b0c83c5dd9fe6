"""Whether Redis keeps what it is given: it can be set up so that it does not."""

from __future__ import annotations

import redis
import structlog

log = structlog.get_logger(__name__)


def losses(client: redis.Redis) -> list[str]:
    """How this Redis may lose the queue and the gallery, a sentence with its mend each.

    Asks with INFO alone, which every role may. Raises redis.RedisError.
    """
    persistence, memory = client.info("persistence"), client.info("memory")
    found = []
    if not persistence.get("aof_enabled"):
        found.append(
            "Redis writes no append-only file, so a Redis that is killed loses what was queued and "
            "enrolled since its last snapshot: set `appendonly yes`"
        )
    elif persistence.get("aof_last_write_status", "ok") != "ok":
        found.append(
            "Redis could not write its append-only file and takes nothing: make room on its disk"
        )
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        found.append(
            f"a full Redis deletes the queue or the gallery (maxmemory-policy {policy}): "
            "set `maxmemory-policy noeviction`"
        )
    return found


def warn_of_losses(client: redis.Redis) -> None:
    """What every role does as it starts."""
    try:
        found = losses(client)
    except redis.RedisError as error:  # away again, or it lets nobody ask
        log.warning("Redis was not asked whether it keeps what it is given", error=str(error))
        return
    for sentence in found:
        log.warning("Redis may lose what it is given", finding=sentence)
