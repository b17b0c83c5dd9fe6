"""Many small requests become few full batches, by size or deadline.

Tasks run on threads, each with the chips of one message; the network runs on one thread with
as many of them as are there. It fills up only if more messages are on their way than a batch
holds: the pool's threads and the prefetch must exceed the batch size (Workers in ARCHITECTURE.md).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np

from facetrail.wire import Chips, Encodings

Encode = Callable[[Chips], Encodings]
Request = tuple[Chips, "Future[Encodings]"]


class Batcher:
    """Runs `encode` on batches of up to `size` chips; none waits longer than `wait_s` to fill."""

    def __init__(self, encode: Encode, *, size: int, wait_s: float) -> None:
        self._encode = encode
        self._size = size
        self._wait_s = wait_s
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._left_over: Request | None = None
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, chips: Chips) -> Future[Encodings]:
        """Uint8 `(n, 112, 112, 3)` to a promise of float32 `(n, 128)`, in the same order.

        What `encode` raises is raised by `result()` of each request of that batch; a request
        after `close` raises RuntimeError, so that nobody waits for what never comes.
        """
        promise: Future[Encodings] = Future()
        with self._closing:
            if self._closed:
                raise RuntimeError("the batcher is closed")
            self._requests.put((chips, promise))
        return promise

    def close(self) -> None:
        """Runs what was submitted and ends."""
        with self._closing:
            self._closed = True
            self._requests.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (batch := self._next()) is not None:
            chips = np.concatenate([chips for chips, _ in batch])
            try:
                parts = [self._encode(part) for part in self._parts(chips)]
            except Exception as error:  # told to those who wait; the thread must live on
                for _, promise in batch:
                    promise.set_exception(error)
                continue
            encodings = np.concatenate(parts)
            at = 0
            for own, promise in batch:
                promise.set_result(encodings[at : at + len(own)])
                at += len(own)

    def _next(self) -> list[Request] | None:
        """The requests of the next batch; None after the last."""
        first = self._left_over or self._requests.get()
        self._left_over = None
        if first is None:
            return None
        batch, count = [first], len(first[0])
        deadline = time.monotonic() + self._wait_s
        while count < self._size:
            try:
                request = self._requests.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if request is None:
                self._requests.put(None)  # the end, after this batch
                break
            if count + len(request[0]) > self._size:
                self._left_over = request
                break
            batch.append(request)
            count += len(request[0])
        return batch

    def _parts(self, chips: Chips) -> list[Chips]:
        """A single request may be larger than a batch."""
        return [chips[at : at + self._size] for at in range(0, len(chips), self._size)] or [chips]
