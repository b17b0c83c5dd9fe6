"""Many small requests become few full batches, by size or deadline.

Tasks run on threads, each with the chips of one message; the network runs on one thread with
as many of them as are there, whichever message they are of. It fills up only if more messages are
on their way than a batch holds: the pool's threads and the prefetch must exceed the batch size
(Workers in ARCHITECTURE.md).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from facetrail.errors import TooLate, WorkerStops
from facetrail.wire import Chips, Encodings

#: From the end of a batch until its chips are counted, in seconds, if there is much to do.
COUNTED_S = 0.3
#: A batch that runs for so long never ends: a device hangs.
HALT_S = 60.0

Encode = Callable[[Chips], Encodings]


@dataclass(slots=True, eq=False)
class Request:
    """Chips of one message. taken: how many went into batches. parts: what came of those.

    until: when they must be encoded, in nanoseconds since the epoch.
    """

    chips: Chips
    until: float = float("inf")
    promise: Future[Encodings] = field(default_factory=Future)
    taken: int = 0
    parts: list[Encodings] = field(default_factory=list)

    def take(self, most: int) -> Chips:
        part = self.chips[self.taken : self.taken + most]
        self.taken += len(part)
        return part

    @property
    def is_over(self) -> bool:
        """Whether all of it went into batches, or one of those has failed."""
        return self.taken == len(self.chips) or self.promise.done()

    def add(self, part: Encodings) -> None:
        self.parts.append(part)
        if self.taken == len(self.chips) and not self.promise.done():
            self.promise.set_result(np.concatenate(self.parts))

    def fail(self, error: Exception) -> None:
        if not self.promise.done():
            self.promise.set_exception(error)


@dataclass(slots=True)
class Fill:
    """How full batches were: how many ran, of how many chips, and the seconds they took."""

    batches: int = 0
    chips: int = 0
    busy_s: float = 0.0


class Batcher:
    """Runs `encode` on batches of up to `size` chips; none waits longer than `wait_s` to fill."""

    def __init__(self, encode: Encode, *, size: int, wait_s: float) -> None:
        self.size = size
        self.fill = Fill()
        self._encode = encode
        self._wait_s = wait_s
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._begun: Request | None = None  # the rest of it comes first
        self._closing = threading.Lock()
        self._closed = False
        self._given_up = False
        self._running_since: float | None = None
        self._usual_s = 0.0  # that a batch takes, of late
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, chips: Chips, *, until: float = float("inf")) -> Future[Encodings]:
        """Uint8 `(n, 112, 112, 3)` to a promise of float32 `(n, 128)`, in the same order.

        What `encode` raises is raised by `result()` of each request of that batch; `result()` of
        what waits when the batcher gives up raises WorkerStops, and so does a request after that
        or after `close`, so that nobody waits for what never comes. It raises TooLate where they
        are not likely to be encoded `until` a time, in nanoseconds since the epoch.
        """
        request = Request(chips, until)
        if not len(chips):
            request.promise.set_result(np.empty((0, 128), np.float32))
            return request.promise
        with self._closing:
            if self._closed:
                raise WorkerStops("the batcher is closed")
            self._requests.put(request)
        return request.promise

    def is_working(self) -> bool:
        """Whether the batch that runs is likely to end, or none runs."""
        since = self._running_since
        return since is None or time.monotonic() - since < HALT_S

    def give_up(self) -> None:
        """Ends with the batch that runs: what waits is another worker's."""
        self._given_up = True
        self._end()

    def close(self) -> None:
        """Runs what was submitted and ends."""
        self._end()
        self._thread.join()

    def _end(self) -> None:
        with self._closing:
            self._closed = True
            self._requests.put(None)

    def _run(self) -> None:
        while (batch := self._next()) is not None:
            requests = [request for request, _ in batch]
            if self._given_up:
                for request in requests:
                    request.fail(WorkerStops("the worker stops"))
                continue
            try:
                encodings = self._encoded([part for _, part in batch])
            except Exception as error:  # told to those who wait; the thread must live on
                for request in requests:
                    request.fail(error)
                continue
            at = 0
            for request, part in batch:
                request.add(encodings[at : at + len(part)])
                at += len(part)

    def _encoded(self, parts: list[Chips]) -> Encodings:
        began = self._running_since = time.monotonic()
        try:
            encodings = self._encode(parts[0] if len(parts) == 1 else np.concatenate(parts))
        finally:
            self._running_since = None
        self.fill.batches += 1
        self.fill.chips += len(encodings)
        took_s = time.monotonic() - began
        self.fill.busy_s += took_s
        # The longest of late, which fades.
        self._usual_s = max(took_s, self._usual_s + 0.1 * (took_s - self._usual_s))
        return encodings

    def _next(self) -> list[tuple[Request, Chips]] | None:
        """The parts of requests that the next batch is made of; None after the last."""
        batch: list[tuple[Request, Chips]] = []
        room, deadline = self.size, None
        wait_s = self._wait_s if self._begun is None else 0.0  # the rest of one has waited
        while room and (request := self._following(deadline)) is not None:
            if self._is_late(request):
                request.fail(TooLate("the chips waited for too long"))
                continue
            part = request.take(room)
            batch.append((request, part))
            room -= len(part)
            if not request.is_over:
                self._begun = request
            deadline = deadline or time.monotonic() + wait_s
        return batch or None

    def _is_late(self, request: Request) -> bool:
        """Whether it is not begun and would end too late, if this batch takes as long as most."""
        left_s = (request.until - time.time_ns()) / 1e9 - COUNTED_S
        if request.taken or left_s > self._usual_s:
            return False
        if left_s > 0:
            self._usual_s /= 2  # so that one long batch does not make all that follow too late
        return True

    def _following(self, deadline: float | None) -> Request | None:
        """The request that comes next; None if none does in time, or ever."""
        begun, self._begun = self._begun, None
        if begun is not None and not begun.is_over:
            return begun
        if deadline is None:
            return self._requests.get()
        try:
            request = self._requests.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return None
        if request is None:
            self._requests.put(None)  # the end, after this batch
        return request
