"""Unwrap, recognise, count. Everything that thinks is elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import redis
import structlog
from celery import Celery
from celery.exceptions import Reject

from facetrail.errors import BadMessage, BadPicture, EncoderMismatch, WorkerStops
from facetrail.store import Keys
from facetrail.wire import TASK, Chips, Encoder, FaceChip, Message
from index.replica import Replica
from index.view import View
from workers.away import is_away
from workers.batcher import Batcher
from workers.call import Context
from workers.delivery.rejected import set_aside
from workers.recognise import picture_of, recognise
from workers.vote import Votes

PAUSE_S = 1.0
#: How far the clock of a camera's host may be ahead of a worker's.
FUTURE_NS = 600 * 10**9
Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Service:
    """What a worker process has, once. chip_ttl_s: older chips are skipped and counted."""

    client: redis.Redis
    keys: Keys
    encoder: Encoder
    replica: Replica
    batcher: Batcher
    votes: Votes
    chip_ttl_s: float
    stop: threading.Event

    def take(self, data: bytes) -> None:
        """Recognises the chips of one message; set aside if it can't be read.

        Raises EncoderMismatch while the gallery is another encoder's: to others it is of use.
        """
        self._view()
        try:
            message, unreadable = Message.readable(data)
        except BadMessage as error:
            self.set_aside(str(error), data)
            return
        for one in unreadable:
            self.set_aside(one.reason, one.data)
        read = [(chip, self._picture(chip)) for chip in self._in_time(message.chips)]
        usable = [(chip, picture) for chip, picture in read if picture is not None]
        if usable:
            self._recognise([chip for chip, _ in usable], np.stack([p for _, p in usable]))
        for ended in message.ends:
            self._patiently(partial(self.votes.end, ended))

    def close_votes(self) -> None:
        """Those whose time is up; left to others while the gallery is another encoder's."""
        if self.replica.view.mismatch is None:
            self.votes.sweep()

    def _recognise(self, chips: Sequence[FaceChip], pictures: Chips) -> None:
        view = self._view()
        rule = view.calibration or self.encoder
        judgements = recognise(
            chips,
            pictures,
            lambda batch: self.batcher.submit(batch).result(),
            view.index,
            threshold=rule.threshold,
            margin=rule.margin,
            rules_out=view.rules_out,
        )
        named = [one.person for one in judgements if one.person is not None]
        context = Context(
            encoder=self.encoder.id,
            threshold=rule.threshold,
            index_position=view.position,
            people=self._patiently(lambda: view.people.those(named)),
            ignored=frozenset(person for person in named if view.is_ignored(person)),
        )
        self._patiently(lambda: self.votes.count(chips, judgements, context))

    def _view(self) -> View:
        """The gallery. Raises EncoderMismatch where nobody would be known in it."""
        view = self.replica.view
        if view.mismatch is not None:
            raise EncoderMismatch(view.mismatch)
        return view

    def _in_time(self, chips: Sequence[FaceChip]) -> list[FaceChip]:
        """Those that are not too old; the others count as expired, also in their tracks' votes."""
        now = time.time_ns()
        early = [chip for chip in chips if chip.captured_at > now + FUTURE_NS]
        for chip in early:
            self._refuse(chip, f"chip {chip.chip_id}: expected a time that has been, by this clock")
        oldest = now - int(self.chip_ttl_s * 1e9)
        old = [chip for chip in chips if chip.captured_at < oldest]
        if old:
            # Where it happens to all, the hosts' clocks may be why.
            age_s = round((now - old[0].captured_at) / 1e9)
            log.warning("chips too old, skipped", camera=old[0].camera, age_s=age_s, chips=len(old))
        for chip in old:
            self._patiently(partial(self.votes.skip, chip, "expired"))
        return [chip for chip in chips if oldest <= chip.captured_at <= now + FUTURE_NS]

    def _picture(self, chip: FaceChip) -> Chips | None:
        """The picture of a chip, or None for one of no use, which is set aside."""
        try:
            return picture_of(chip)
        except BadPicture as error:
            self._refuse(chip, str(error))
            return None

    def _refuse(self, chip: FaceChip, reason: str) -> None:
        """Sets one chip aside; its track need not wait for it."""
        self.set_aside(reason, bytes(Message(items=(chip,))))
        self._patiently(partial(self.votes.skip, chip, "unusable"))

    def set_aside(self, reason: str, data: object) -> None:
        """Keeps what can't be used, with the reason."""
        self._patiently(lambda: set_aside(self.client, self.keys, reason, data))

    def _patiently(self, call: Callable[[], Answer]) -> Answer:
        """Waits for a Redis that is away or full, rather than lose what was recognised."""
        while True:
            try:
                return call()
            except redis.RedisError as error:
                if not is_away(error):
                    raise
                log.warning("Redis is away, the worker waits", cause=type(error).__name__)
                if self.stop.wait(PAUSE_S):
                    raise


def register(app: Celery, service: Service) -> None:
    """Makes the app's one task run on this service."""

    @app.task(name=TASK, ignore_result=True, shared=False)  # type: ignore[untyped-decorator]
    def recognise_chips(data: bytes) -> None:
        try:
            service.take(data)
        except EncoderMismatch as error:
            # Another worker's turn. Until this one has left the queue it may be given it again.
            service.stop.wait(PAUSE_S)
            raise Reject(str(error), requeue=True) from error
        except WorkerStops as error:
            raise Reject(str(error), requeue=True) from error
        except Exception as error:
            if isinstance(error, redis.RedisError) and is_away(error):
                # The worker stops before Redis came back: another one's turn.
                raise Reject(str(error), requeue=True) from error
            # A fault of ours; the message is kept for us, and the worker lives on.
            log.exception("message failed")
            service.set_aside(f"{type(error).__name__}: {error}", data)
