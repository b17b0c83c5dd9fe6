"""What a worker has taken from the queue and not finished: kept in Redis, given back if it dies.

A message lies in the queue or, moved in one step, in a place of its own that a worker named before.
A worker says each second which places it works at; what lies in one that nobody spoke of for a
while goes back. Times are Redis's own, since hosts need not agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import redis
import structlog

from facetrail.store import Keys
from workers.delivery.rejected import CUT, KEPT, LONGEST, set_aside

#: A message whose workers ended so often while they held it may be why.
MOST_DEATHS = 10

_SCRIPTS = {
    name: Path(__file__).with_name(f"{name}.lua").read_text()
    for name in ("await", "take", "give_back", "sweep")
}

#: A command, as it is sent.
Words = list[str | int | float]

log = structlog.get_logger(__name__)


class Held:
    """The places of one worker. One thread takes and sweeps; any may finish.

    patience_s: what nobody works at comes again after so long.
    Of what is finished Redis is told when something is taken next, or with the next sweep.
    """

    def __init__(self, client: redis.Redis, keys: Keys, *, patience_s: float) -> None:
        self._client = client
        self._keys = keys
        self._patience_s = patience_s
        self._scripts = {name: client.register_script(text) for name, text in _SCRIPTS.items()}
        self._finished: list[str] = []

    def load(self) -> None:
        """Has Redis know what `taking` runs."""
        self._client.script_load(_SCRIPTS["take"])

    def waiting(self, tag: str, timeout_s: float) -> Words:
        """The command that waits for a message and holds it. Answers it, or nothing."""
        self.flush()
        self._scripts["await"](keys=[self._keys.held_since], args=[tag])
        return ["BLMOVE", self._keys.queue, self._keys.held(tag), "RIGHT", "LEFT", timeout_s]

    def taking(self, tags: Sequence[str]) -> Words:
        """The command that takes and holds up to so many in one step, also where Redis is full.

        Answers those that there are; each has the tag of its place among the tags.
        """
        self.flush()
        keys = [self._keys.queue, self._keys.held_since]
        return ["EVALSHA", self._scripts["take"].sha, len(keys), *keys, self._keys.held(""), *tags]

    def done(self, tag: str) -> None:
        """The message is finished."""
        self._finished.append(tag)

    def set_aside(self, tag: str, reason: str, raw: bytes) -> None:
        """The message is none that anybody can use."""
        set_aside(self._client, self._keys, reason, raw, kind="queued")
        self.done(tag)

    def flush(self) -> None:
        """Tells Redis of what is finished."""
        if finished := list(self._finished):
            # In a transaction a full Redis refuses even what makes room. The messages first: an
            # empty place is forgotten; a message in one that nobody knows of would lie for ever.
            with self._client.pipeline(transaction=False) as pipe:
                pipe.delete(*map(self._keys.held, finished))
                pipe.zrem(self._keys.held_since, *finished)
                pipe.execute()
            del self._finished[: len(finished)]  # not before Redis knows of them

    def give_back(self, tags: Iterable[str]) -> None:
        """They come again, to anybody, in that order."""
        self.flush()
        if own := list(tags):
            self._scripts["give_back"](
                keys=[self._keys.queue, self._keys.held_since], args=[self._keys.held(""), *own]
            )

    def sweep(self, working_at: Iterable[str]) -> None:
        """Says what is worked at; gives back what nobody works at."""
        self.flush()
        keys = [
            self._keys.queue,
            self._keys.held_since,
            self._keys.deaths,
            self._keys.rejected,
            self._keys.counters,
        ]
        patience_ms = round(self._patience_s * 1000)
        again, aside = self._scripts["sweep"](
            keys=keys,
            args=[self._keys.held(""), patience_ms, MOST_DEATHS, KEPT, LONGEST, CUT, *working_at],
        )
        if again or aside:
            log.warning("messages of workers that ended come again", again=again, set_aside=aside)
