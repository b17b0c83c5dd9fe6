"""What can't be used is set aside with the reason, for people to look at."""

from __future__ import annotations

import redis
import structlog

from facetrail.store import Keys

#: Messages kept, about; the oldest go.
KEPT = 1_000
LONGEST = 100_000  # bytes of a message that are kept

log = structlog.get_logger(__name__)


def set_aside(client: redis.Redis, keys: Keys, reason: str, data: object) -> None:
    """Keeps a message, or the start of it, on the stream of rejected ones."""
    body = data[:LONGEST] if isinstance(data, bytes) else repr(data)[:LONGEST].encode()
    entry = {"reason": reason[:1000], "message": body}
    client.xadd(keys.rejected, entry, maxlen=KEPT, approximate=True)
    client.hincrby(keys.counters, "rejected", 1)
    log.warning("message set aside", reason=reason[:200])
