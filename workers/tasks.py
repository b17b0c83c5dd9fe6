"""Unwrap, encode, count. Everything that thinks is elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

import numpy as np
import redis
import structlog
from celery import Celery
from celery.exceptions import Reject

from facetrail.errors import BadMessage, BadPicture, EncoderMismatch, TooLate, WorkerStops
from facetrail.store import Keys
from facetrail.wire import CHIP_SHAPE, TASK, Chips, Encoder, Encodings, FaceChip, Message
from index.replica import Replica
from workers.away import is_away
from workers.batcher import Batcher
from workers.call import Call, end_call, skip_call
from workers.delivery.rejected import set_aside
from workers.measures import Measures
from workers.recognise import read_picture
from workers.teller import PAUSE_S, Teller, Work, patiently
from workers.vote import Votes

#: How far the clock of a camera's host may be ahead of a worker's.
FUTURE_NS = 600 * 10**9
#: A message that is tried again is never too old.
FOREVER_NS = 10**19
#: Chips so near in time are too late together.
LATE_TOGETHER_NS = 500 * 10**6
NONE: Encodings = np.empty((0, 128), np.float32)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Chips of one message that are looked at, and what is to be said of the others.

    pictures: of the chips. ttl_ns: how old they may be. done: ends when all is counted.
    """

    chips: Sequence[FaceChip]
    pictures: Chips
    others: Sequence[Call]
    ttl_ns: int
    done: Future[None] = field(default_factory=Future)

    @property
    def oldest(self) -> int:
        """When the oldest was captured, in nanoseconds since the epoch."""
        return min(chip.captured_at for chip in self.chips)


@dataclass(frozen=True, slots=True)
class Service:
    """What a worker process has, once. chip_ttl_s: older chips are skipped and counted."""

    client: redis.Redis
    keys: Keys
    encoder: Encoder
    replica: Replica
    batcher: Batcher
    votes: Votes
    teller: Teller
    measures: Measures
    chip_ttl_s: float
    stop: threading.Event

    def take(self, data: bytes) -> None:
        """Recognises the chips of one message; set aside if it can't be read.

        Raises EncoderMismatch while the gallery is another encoder's: to others it is of use.
        """
        self.teller.view()
        try:
            message, unreadable = Message.readable(data)
        except BadMessage as error:
            self.set_aside(str(error), data)
            return
        for one in unreadable:
            self.set_aside(one.reason, one.data)
        ttl_ns = FOREVER_NS if message.retried else int(self.chip_ttl_s * 1e9)
        part = self._usable(message.chips, ttl_ns)
        part = replace(part, others=[*part.others, *map(end_call, message.ends)])
        self._count(part)
        part.done.result()

    def close_votes(self) -> None:
        """Those whose time is up; left to others while the gallery is another encoder's."""
        if self.replica.view.mismatch is None:
            self.votes.sweep()

    def close(self) -> None:
        """Ends with what was begun."""
        self.batcher.close()
        self.teller.close()

    def _count(self, part: Part) -> None:
        """Encodes the chips and counts them; `done` ends then."""
        if not part.chips:
            self.teller.count(Work((), NONE, part.others, part.done))
            return

        def count(encoded: Future[Encodings]) -> None:  # on the batcher's thread
            error = encoded.exception()  # raised, it would keep the pictures alive with its frames
            if error is None:
                self.teller.count(Work(part.chips, encoded.result(), part.others, part.done))
            elif isinstance(error, TooLate):
                self._count_the_rest(part)
            else:
                part.done.set_exception(error)

        until = part.oldest + part.ttl_ns
        self.batcher.submit(part.pictures, until=until).add_done_callback(count)

    def _count_the_rest(self, part: Part) -> None:
        """Without the oldest chip and those of its time, which waited for the batcher too long."""
        try:
            late = part.oldest + LATE_TOGETHER_NS
            left = [place for place, chip in enumerate(part.chips) if chip.captured_at > late]
            old = self._expired([chip for chip in part.chips if chip.captured_at <= late])
            self._count(
                replace(
                    part,
                    chips=[part.chips[place] for place in left],
                    pictures=part.pictures[left],
                    others=[*old, *part.others],
                )
            )
        except Exception as error:  # told to the one who waits
            part.done.set_exception(error)

    def _usable(self, chips: Sequence[FaceChip], ttl_ns: int) -> Part:
        """Chips to look at and their pictures; and what is to be said of the others."""
        now = time.time_ns()
        skipped = self._expired([chip for chip in chips if chip.captured_at < now - ttl_ns])
        good: list[FaceChip] = []
        pictures = np.empty((len(chips), *CHIP_SHAPE), np.uint8)
        for chip in chips:
            if chip.captured_at < now - ttl_ns:
                continue
            try:
                if chip.captured_at > now + FUTURE_NS:
                    raise BadMessage(f"chip {chip.chip_id}: expected a time that has been")
                read_picture(chip, pictures[len(good)])
                good.append(chip)
            except (BadMessage, BadPicture) as error:
                self.set_aside(str(error), bytes(Message(items=(chip,))))
                skipped.append(skip_call(chip, "unusable"))
                self.measures.dropped("unusable")
        return Part(good, pictures[: len(good)], skipped, ttl_ns)

    def _expired(self, chips: Sequence[FaceChip]) -> list[Call]:
        """Tells of chips that are too old; what is to be said of them."""
        if chips:
            self.measures.dropped("expired", len(chips))
            # Where it happens to all, the hosts' clocks may be why.
            age_s = round((time.time_ns() - chips[0].captured_at) / 1e9)
            camera = chips[0].camera
            log.warning("chips too old, skipped", camera=camera, age_s=age_s, chips=len(chips))
        return [skip_call(chip, "expired") for chip in chips]

    def set_aside(self, reason: str, data: object) -> None:
        """Keeps what can't be used, with the reason."""
        patiently(lambda: set_aside(self.client, self.keys, reason, data), self.stop)


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
            try:
                service.set_aside(f"{type(error).__name__}: {error}", data)
            except redis.RedisError as away:
                raise Reject(str(away), requeue=True) from error
