"""What a worker counts of its work: for Prometheus, and for `facetrail workers list`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import redis
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from facetrail.errors import BadMessage
from facetrail.queue_state import in_hand, waiting
from facetrail.store import Keys
from facetrail.wire import FaceChip
from workers.batcher import Batcher
from workers.delivery.envelope import oldest_capture

DELAYS_S = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Span:
    """Of the time since the last one was asked for; fields of `WorkerStatus`."""

    faces: int
    faces_per_s: float
    batch_fill: float
    busy: float
    delay_s: float | None


class Measures(Collector):
    """Counters of this worker, and, when asked, of the queue that all share."""

    def __init__(self, client: redis.Redis, keys: Keys, batcher: Batcher) -> None:
        self.registry = CollectorRegistry()
        self._client = client
        self._keys = keys
        self._batcher = batcher
        self._lock = threading.Lock()
        self._faces = Counter(
            "facetrail_faces", "Chips by what became of them.", ["outcome"], registry=self.registry
        )
        self._delay = Histogram(
            "facetrail_delay_seconds",
            "From the capture of a chip until its vote was counted.",
            buckets=DELAYS_S,
            registry=self.registry,
        )
        self.registry.register(self)
        self._count = 0
        self._delays_s = 0.0
        self._last = (time.monotonic(), 0, 0.0, 0, 0, 0.0)

    def recognised(self, chips: Sequence[FaceChip]) -> None:
        """Chips that were counted this moment."""
        now = time.time_ns()
        delays = [max(0.0, (now - chip.captured_at) / 1e9) for chip in chips]
        for delay in delays:
            self._delay.observe(delay)
        self._faces.labels("recognised").inc(len(chips))
        with self._lock:
            self._count += len(chips)
            self._delays_s += sum(delays)

    def dropped(self, outcome: str, chips: int = 1) -> None:
        """Chips that say nothing. outcome: expired or unusable."""
        self._faces.labels(outcome).inc(chips)

    def span(self) -> Span:
        """Since the last time this was asked; by one thread only."""
        fill = self._batcher.fill
        with self._lock:
            count, delays_s = self._count, self._delays_s
        now = time.monotonic()
        at, faces_then, delays_then, batches_then, chips_then, busy_then = self._last
        self._last = (now, count, delays_s, fill.batches, fill.chips, fill.busy_s)
        seconds, faces = max(now - at, 1e-6), count - faces_then
        batches = fill.batches - batches_then
        return Span(
            faces=count,
            faces_per_s=faces / seconds,
            batch_fill=(fill.chips - chips_then) / (batches * self._batcher.size) if batches else 0,
            busy=min(1.0, (fill.busy_s - busy_then) / seconds),
            delay_s=(delays_s - delays_then) / faces if faces else None,
        )

    def collect(self) -> Iterator[Metric]:
        """Of the batches, and of the queue while Redis answers."""
        fill = self._batcher.fill
        yield CounterMetricFamily("facetrail_batches", "Runs of the encoder.", fill.batches)
        yield CounterMetricFamily("facetrail_batch_faces", "Faces in those runs.", fill.chips)
        yield GaugeMetricFamily(
            "facetrail_batch_size", "Faces of a full batch.", self._batcher.size
        )
        yield CounterMetricFamily(
            "facetrail_encoder_busy_seconds", "Seconds in which the encoder ran.", fill.busy_s
        )
        try:
            found = queue_state(self._client, self._keys)
        except redis.RedisError:
            return
        yield GaugeMetricFamily(
            "facetrail_queue_messages", "Messages that no worker has taken.", found.messages
        )
        yield GaugeMetricFamily(
            "facetrail_held_messages", "Messages that workers have in hand.", found.held
        )
        yield GaugeMetricFamily(
            "facetrail_queue_oldest_seconds", "Age of the oldest chip in the queue.", found.oldest_s
        )


@dataclass(frozen=True, slots=True)
class QueueState:
    """messages: that nobody has taken. held: that workers have. oldest_s: age of a chip."""

    messages: int
    held: int
    oldest_s: float


def queue_state(client: redis.Redis, keys: Keys) -> QueueState:
    """Raises RedisError."""
    raw = client.lindex(keys.queue, -1)
    oldest_s = 0.0
    if raw is not None:
        try:
            captured_at = oldest_capture(raw)
            oldest_s = max(0.0, (time.time_ns() - captured_at) / 1e9) if captured_at else 0.0
        except BadMessage:  # it will be set aside when it is taken
            pass
    return QueueState(waiting(client, keys), in_hand(client, keys), oldest_s)
