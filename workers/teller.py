"""Counts the votes of whatever chips are encoded by now, of all messages, in one round trip."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar

import faiss
import numpy as np
import redis
import structlog

from facetrail.errors import EncoderMismatch, WorkerStops
from facetrail.wire import Encoder, Encodings, FaceChip
from index.replica import Replica
from index.view import View
from workers.away import is_away
from workers.call import Call, Context, chip_call
from workers.recognise import recognise
from workers.vote import Votes

#: Chips of one round, about: more would keep Redis from others for long.
MOST = 64
#: While one waits for Redis, another judges.
THREADS = 2
PAUSE_S = 1.0
Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What a message says: its chips, encoded, and what else of tracks.

    done: when it is counted.
    """

    chips: Sequence[FaceChip]
    encodings: Encodings
    others: Sequence[Call]
    done: Future[None] = field(default_factory=Future)

    def end(self, error: Exception | None) -> None:
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class Teller:
    """Judges and counts on a thread of its own: the messages of a round share search and Redis.

    stop: set while the worker ends; then a Redis that is away is not waited for. counted: told of
    chips when they are.
    """

    def __init__(
        self,
        replica: Replica,
        votes: Votes,
        encoder: Encoder,
        stop: threading.Event,
        *,
        name: str,
        counted: Callable[[Sequence[FaceChip]], None] = lambda chips: None,
    ) -> None:
        self._replica = replica
        self._votes = votes
        self._encoder = encoder
        self._stop = stop
        self._name = name
        self._tell_counted = counted
        self._closing = threading.Lock()
        self._is_closed = False
        self._works: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name="teller", daemon=True) for _ in range(THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def count(self, work: Work) -> None:
        """Its `done` ends when all of it is counted, or with what kept it from that.

        EncoderMismatch while the gallery is another encoder's; a RedisError. WorkerStops once it is
        closed.
        """
        with self._closing:
            if not self._is_closed:
                self._works.put(work)
                return
        work.end(WorkerStops("the teller is closed"))

    def close(self) -> None:
        """Counts what was given and ends."""
        with self._closing:
            self._is_closed = True
            self._works.put(None)
        for thread in self._threads:
            thread.join()

    def view(self) -> View:
        """The gallery. Raises EncoderMismatch where nobody would be known in it."""
        view = self._replica.view
        if view.mismatch is not None:
            raise EncoderMismatch(view.mismatch)
        return view

    def _run(self) -> None:
        faiss.omp_set_num_threads(1)  # holds for the thread that says it
        while works := self._next():
            try:
                errors = self._counted(works)
            except Exception as fault:  # told to those who wait; the thread must live on
                errors = self._errors_of_each(works, fault)
            for work, error in zip(works, errors, strict=True):
                work.end(error)

    def _errors_of_each(self, works: Sequence[Work], fault: Exception) -> list[Exception | None]:
        """Of a round that failed: one message may be why, and the others none the worse for it."""
        if len(works) == 1 or isinstance(fault, (redis.RedisError, EncoderMismatch)):
            return [fault] * len(works)
        found: list[Exception | None] = []
        for work in works:
            try:
                found += self._counted([work])
            except Exception as own:  # told to the one who waits for it
                found.append(own)
        return found

    def _next(self) -> list[Work]:
        """All that is there, and at least one; nothing after the last."""
        first = self._works.get()
        if first is None:
            self._works.put(None)  # the end, for the other threads, too
            return []
        works, chips = [first], len(first.chips)
        while chips < MOST:
            try:
                work = self._works.get_nowait()
            except queue.Empty:
                break
            if work is None:
                self._works.put(None)  # the end, after this round
                break
            works.append(work)
            chips += len(work.chips)
        return works

    def _counted(self, works: Sequence[Work]) -> list[Exception | None]:
        chips = [chip for work in works for chip in work.chips]
        calls = iter(self._chip_calls(chips, np.concatenate([w.encodings for w in works])))
        parts = [[*(next(calls) for _ in work.chips), *work.others] for work in works]
        answers = iter(self._patiently(lambda: self._votes.run([c for p in parts for c in p])))
        found = [[next(answers) for _ in part] for part in parts]
        self._tell_counted(chips)
        return [next((one for one in part if one is not None), None) for part in found]

    def _chip_calls(self, chips: Sequence[FaceChip], encodings: Encodings) -> list[Call]:
        if not chips:
            return []
        view = self.view()
        rule = view.calibration or self._encoder
        judgements = recognise(
            chips,
            encodings,
            view.index,
            threshold=rule.threshold,
            margin=rule.margin,
            rules_out=view.rules_out,
        )
        named = {one.person for one in judgements if one.person is not None}
        context = Context(
            encoder=self._encoder.id,
            threshold=rule.threshold,
            index_position=view.position,
            people=self._patiently(lambda: view.people.those(named)),
            ignored=frozenset(person for person in named if view.is_ignored(person)),
        )
        return [
            chip_call(chip, judgement, context, worker=self._name)
            for chip, judgement in zip(chips, judgements, strict=True)
        ]

    def _patiently(self, call: Callable[[], Answer]) -> Answer:
        return patiently(call, self._stop)


def patiently(call: Callable[[], Answer], stop: threading.Event) -> Answer:
    """Waits for a Redis that is away or full, rather than lose what was recognised."""
    while True:
        try:
            return call()
        except redis.RedisError as error:
            if not is_away(error):
                raise
            log.warning("Redis is away, the worker waits", cause=type(error).__name__)
            if stop.wait(PAUSE_S):
                raise
