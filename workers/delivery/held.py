"""What a consumer has taken from the queue and not finished: kept in Redis, given back if it dies.

A message lies in the queue, in the list of those just taken by a consumer, or among the held. Each
of the moves between them is one step of Redis. Times are Redis's own, since hosts need not agree.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path

import redis
import structlog

from facetrail.store import Keys
from workers.delivery.rejected import KEPT

#: How long a consumer that has gone silent keeps what it was about to take, in seconds.
LEASE_S = 5.0
#: A message whose workers ended so often while they held it may be why.
MOST_DEATHS = 10

_SCRIPTS = {
    name: Path(__file__).with_name(f"{name}.lua").read_text()
    for name in ("claim", "take", "give_back", "sweep")
}

log = structlog.get_logger(__name__)


class Held:
    """The messages of one consumer. One thread takes and sweeps; any may finish.

    patience_s: what a consumer holds and no longer works at comes again after so long.
    """

    def __init__(self, client: redis.Redis, keys: Keys, *, patience_s: float) -> None:
        self._client = client
        self._keys = keys
        self._patience_s = patience_s
        self._scripts = {name: client.register_script(text) for name, text in _SCRIPTS.items()}
        self._held = [keys.held, keys.held_since]
        self.consumer = ""

    def join(self) -> list[str]:
        """Becomes a consumer of a new name; the words of the command that takes a message.

        What the former one was about to take comes again.
        """
        self.consumer = secrets.token_hex(8)
        self.sweep(())
        return ["BLMOVE", self._keys.queue, self._keys.taken(self.consumer), "RIGHT", "LEFT"]

    def claim(self) -> str | None:
        """Holds the message just taken; its tag, or None where it was given to somebody else."""
        tag = secrets.token_hex(8)
        claimed = self._scripts["claim"](
            keys=[self._keys.taken(self.consumer), *self._held], args=[tag]
        )
        return tag if claimed else None

    def take(self) -> tuple[str, bytes] | None:
        """Takes and holds the oldest message in one step, also where Redis is full."""
        tag = secrets.token_hex(8)
        raw = self._scripts["take"](keys=[self._keys.queue, *self._held], args=[tag])
        return (tag, raw) if raw is not None else None

    def done(self, tag: str) -> None:
        """The message is finished."""
        with self._client.pipeline() as pipe:
            pipe.zrem(self._keys.held_since, tag)
            pipe.hdel(self._keys.held, tag)
            pipe.execute()

    def give_back(self, tags: Iterable[str]) -> None:
        """They come again, to anybody, in that order."""
        if own := list(tags):
            self._scripts["give_back"](keys=[self._keys.queue, *self._held], args=own)

    def sweep(self, working_at: Iterable[str]) -> None:
        """Says that this consumer lives; gives back what dead ones were at."""
        again, aside = self._scripts["sweep"](
            keys=[
                self._keys.queue,
                *self._held,
                self._keys.consumers,
                self._keys.deaths,
                self._keys.rejected,
            ],
            args=[
                self._keys.taken(""),
                self._keys.consumer(""),
                round(LEASE_S * 1000),
                round(self._patience_s * 1000),
                MOST_DEATHS,
                KEPT,
                self.consumer,
                *working_at,
            ],
        )
        if again or aside:
            log.warning("messages of workers that ended come again", again=again, set_aside=aside)

    def leave(self) -> None:
        """What was just taken is free at once."""
        if self.consumer:
            self._client.delete(self._keys.consumer(self.consumer))
            self.consumer = ""
            self.sweep(())
