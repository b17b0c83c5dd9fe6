"""Redis's files are written anew after an erasure, whoever is killed meanwhile.

A mark of the gallery says which file holds erased data, and since which change. It is begun once
Redis writes that file, and goes when it was written well by the Redis that began: one that fails,
or dies at it, is asked again.
"""

from __future__ import annotations

import time

import redis
import structlog

from facetrail.redis_files import FILES, File, begin_writing, is_whole, is_writing, run_of
from facetrail.store import Keys

#: After a writing that failed.
PAUSE_S = 60.0
BEGUN = "begun"

log = structlog.get_logger(__name__)


class Rewriting:
    """Of one Redis and gallery."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._key = keys.gallery_unwritten
        self._resumes_at = 0.0

    def step(self) -> bool:
        """Goes on as far as that needs no waiting; whether every file is begun."""
        marks = self._marks()
        if not marks:
            return True
        try:
            if not is_writing(self._client) and time.monotonic() >= self._resumes_at:
                self._go_on(marks)
        except redis.ResponseError as error:
            log.warning("Redis's files are not written anew: it does not let us", cause=str(error))
            self._client.delete(self._key)
        return all(mark.startswith(BEGUN) for mark in self._marks())

    def is_done(self) -> bool:
        """Whether every file was written."""
        self.step()
        return not self._marks()

    def _marks(self) -> list[str]:
        return [mark.decode() for mark in self._client.smembers(self._key)]

    def _go_on(self, marks: list[str]) -> None:
        begun = f"{BEGUN}:{run_of(self._client)}:"
        for file in FILES:
            own = [mark for mark in marks if f"{file}:" in mark]
            if not own:
                continue
            if all(mark.startswith(begun) for mark in own):
                if is_whole(self._client, file):
                    self._client.srem(self._key, *own)
                    continue
                log.warning("Redis could not write its file anew, it is asked again", file=file)
                self._resumes_at = time.monotonic() + PAUSE_S
                self._replace(own, [_plain(mark) for mark in own])
                return
            if not self._begin(file, own, begun):
                return

    def _begin(self, file: File, own: list[str], begun: str) -> bool:
        """Whether Redis is free for the next file."""
        answer = begin_writing(self._client, file)
        if answer == "begun":
            self._replace(own, [begun + _plain(mark) for mark in own])
        elif answer == "never":
            self._client.srem(self._key, *own)
        return answer == "never"

    def _replace(self, old: list[str], new: list[str]) -> None:
        with self._client.pipeline() as pipe:
            pipe.srem(self._key, *old)
            pipe.sadd(self._key, *new)
            pipe.execute()


def _plain(mark: str) -> str:
    """As the removal set it: `aof:` or `rdb:` and a position."""
    return ":".join(mark.split(":")[-2:])
