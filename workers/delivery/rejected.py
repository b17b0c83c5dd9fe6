"""What can't be used is set aside with the reason, for people to look at and to try again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import msgspec
import redis
import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from facetrail.errors import BadMessage
from facetrail.store import Keys, away
from facetrail.wire import TASK, Message

#: Messages kept, about; the oldest go.
KEPT = 1_000
#: Bytes of a message that are kept. What is longer is cut, and can't be tried again.
LONGEST = 1_000_000
CUT = 100_000
#: Read at once.
PAGE = 20

#: queued: as it lay in the queue, with Celery's envelope. message: what ingest put into it.
Kind = Literal["queued", "message"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message that was set aside. id: of its entry. size: bytes, of the whole message."""

    id: str
    reason: str
    kind: Kind
    size: int
    message: bytes

    @property
    def at(self) -> datetime:
        """When it was set aside, by Redis's clock."""
        return datetime.fromtimestamp(int(self.id.partition("-")[0]) / 1000, UTC)

    @property
    def is_whole(self) -> bool:
        return len(self.message) == self.size


def set_aside(
    client: redis.Redis, keys: Keys, reason: str, data: object, *, kind: Kind = "message"
) -> None:
    """Keeps a message, or the start of a long one, on the stream of rejected ones."""
    whole = data if isinstance(data, bytes) else repr(data).encode()
    body = whole if len(whole) <= LONGEST else whole[:CUT]
    entry = {"reason": reason[:1000], "kind": kind, "size": len(whole), "message": body}
    client.xadd(keys.rejected, entry, maxlen=KEPT, approximate=True)
    client.hincrby(keys.counters, "rejected", 1)
    log.warning("message set aside", reason=reason[:200])


def rejected(client: redis.Redis, keys: Keys) -> Iterator[Rejected]:
    """Every message that is set aside, the oldest first."""
    after = "-"
    while page := client.xrange(keys.rejected, min=after, count=PAGE):
        yield from (_read(entry_id.decode(), fields) for entry_id, fields in page)
        after = f"({page[-1][0].decode()}"


def retry(client: redis.Redis, keys: Keys, app: Celery, one: Rejected) -> None:
    """Puts a message back into the queue; its chips are not too old then.

    Raises RedisAway, RedisError.
    """
    if one.kind == "queued":
        client.rpush(keys.queue, one.message)
    else:
        try:
            app.send_task(TASK, args=[_retried(one.message)], retry=False, ignore_result=True)
        except OperationalError as error:
            raise away(client, error) from error
    client.xdel(keys.rejected, one.id)


def _retried(data: bytes) -> bytes:
    """The message, marked; as it is, if it can't be read, as a newer worker may."""
    try:
        return bytes(msgspec.structs.replace(Message.parse(data), retried=True))
    except BadMessage:
        return data


def purge(client: redis.Redis, keys: Keys, ids: list[str]) -> int:
    """Drops messages that were set aside; how many there were."""
    return int(client.xdel(keys.rejected, *ids)) if ids else 0


def _read(entry_id: str, fields: dict[bytes, bytes]) -> Rejected:
    message = fields.get(b"message", b"")
    return Rejected(
        id=entry_id,
        reason=fields.get(b"reason", b"").decode(errors="replace"),
        kind="queued" if fields.get(b"kind") == b"queued" else "message",
        size=int(fields.get(b"size", len(message))),
        message=message,
    )
