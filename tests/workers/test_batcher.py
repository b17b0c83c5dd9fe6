"""Many small requests become full batches; nobody waits for ever, whatever the encoder does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facetrail.errors import TooLate, WorkerStops
from facetrail.wire import Chips, Encodings
from workers.batcher import Batcher

SIZE = 8
LONG_S = 30.0
BatcherOf = Callable[..., Batcher]


class Recorder:
    """An encoder whose encoding of a chip is its number, 128 times; it notes its batches."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def encode(self, chips: Chips) -> Encodings:
        self.gate.wait(LONG_S)
        self.batches.append(len(chips))
        if (numbers_of(chips) == 666).any():
            raise ValueError("expected faces, got the devil")
        return np.repeat(numbers_of(chips)[:, None], 128, axis=1).astype(np.float32)


def chips(*numbers: int) -> Chips:
    """A chip per number, which is written into its first pixel."""
    made = np.zeros((len(numbers), 112, 112, 3), np.uint8)
    made[:, 0, 0, 0], made[:, 0, 0, 1] = np.divmod(np.array(numbers, np.int64), 256)
    return made


def numbers_of(chips: Chips) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return chips[:, 0, 0, 0].astype(np.int64) * 256 + chips[:, 0, 0, 1]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def batcher_of(recorder: Recorder) -> Iterator[BatcherOf]:
    """`batcher_of(wait_s=1)`: a batcher, closed in the end."""
    made: list[Batcher] = []

    def batcher(wait_s: float = LONG_S) -> Batcher:
        made.append(Batcher(recorder.encode, size=SIZE, wait_s=wait_s))
        return made[-1]

    yield batcher
    recorder.gate.set()
    for each in made:
        each.close()


def test_many_small_requests_become_full_batches(batcher_of: BatcherOf, recorder: Recorder) -> None:
    # Given a batcher that would wait for long, asked by many threads at once
    batcher = batcher_of()
    with ThreadPoolExecutor(3 * SIZE) as pool:
        found = list(pool.map(lambda i: batcher.submit(chips(i)).result(LONG_S), range(5 * SIZE)))

    # I expect full batches, and to each thread its own
    assert recorder.batches == [SIZE] * 5
    assert [int(encodings[0, 0]) for encodings in found] == list(range(5 * SIZE))


def test_requests_of_several_chips_are_cut_so_that_batches_are_full(
    batcher_of: BatcherOf, recorder: Recorder
) -> None:
    recorder.gate.clear()
    batcher = batcher_of(wait_s=0.2)
    promises = [batcher.submit(chips(*range(3))) for _ in range(5)]
    recorder.gate.set()
    assert all(promise.result(LONG_S).shape == (3, 128) for promise in promises)
    assert recorder.batches == [8, 7]


def test_a_lonely_request_waits_no_longer_than_the_deadline(
    batcher_of: BatcherOf, recorder: Recorder
) -> None:
    batcher = batcher_of(wait_s=0.1)
    began = time.monotonic()
    batcher.submit(chips(1)).result(LONG_S)
    assert 0.1 <= time.monotonic() - began < 1.0
    assert recorder.batches == [1]


def test_requests_that_trickle_in_do_not_put_the_first_one_off(
    batcher_of: BatcherOf, recorder: Recorder
) -> None:
    # Given a batcher that would take far longer to fill than the first may wait
    batcher = batcher_of(wait_s=0.2)
    began = time.monotonic()
    first = batcher.submit(chips(0))
    with ThreadPoolExecutor(1) as pool:
        pause = threading.Event()
        trickle = pool.submit(
            lambda: [batcher.submit(chips(1)) for _ in range(4) if not pause.wait(0.1)]
        )
        first.result(LONG_S)
    assert time.monotonic() - began < 1.0
    assert recorder.batches[0] < 1 + len(trickle.result())


def test_a_full_batch_does_not_wait(batcher_of: BatcherOf) -> None:
    began = time.monotonic()
    batcher_of(wait_s=LONG_S).submit(chips(*range(SIZE))).result(LONG_S)
    assert time.monotonic() - began < 1.0


def test_a_request_larger_than_a_batch_is_cut_and_put_together_again(
    batcher_of: BatcherOf, recorder: Recorder
) -> None:
    numbers = list(range(2 * SIZE + 3))
    found = batcher_of().submit(chips(*numbers)).result(LONG_S)
    assert recorder.batches == [SIZE, SIZE, 3]
    assert found[:, 0].tolist() == numbers


def test_a_request_of_nothing_is_answered_with_nothing(batcher_of: BatcherOf) -> None:
    found = batcher_of(wait_s=0.01).submit(chips()).result(LONG_S)
    assert found.shape == (0, 128)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 2 * SIZE + 1), min_size=1, max_size=20))
def test_everyone_gets_their_own_in_their_order(sizes: list[int]) -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.encode, size=SIZE, wait_s=0.001)
    ends = np.cumsum(sizes)
    asked = [list(range(end - size, end)) for size, end in zip(sizes, ends, strict=True)]
    promises = [batcher.submit(chips(*numbers)) for numbers in asked]
    answered = [promise.result(LONG_S)[:, 0].tolist() for promise in promises]
    batcher.close()
    assert answered == asked
    assert max(recorder.batches, default=0) <= SIZE
    assert sum(recorder.batches) == sum(sizes)


def test_an_error_is_told_to_those_who_wait_and_the_next_are_served(
    batcher_of: BatcherOf, recorder: Recorder
) -> None:
    # Given a batch of two requests, one of which the encoder can't bear
    recorder.gate.clear()
    batcher = batcher_of(wait_s=0.1)
    blocker = batcher.submit(chips(*range(SIZE)))
    both = [batcher.submit(chips(1)), batcher.submit(chips(666, *range(SIZE - 2)))]
    after = [batcher.submit(chips(*range(SIZE)))]
    recorder.gate.set()

    # I expect both to hear of it, and nobody else
    assert blocker.exception(LONG_S) is None
    for promise in both:
        with pytest.raises(ValueError, match="got the devil"):
            promise.result(LONG_S)
    assert all(promise.exception(LONG_S) is None for promise in after)


def test_close_runs_what_was_submitted(recorder: Recorder) -> None:
    # Given requests that wait for a batcher that is busy
    recorder.gate.clear()
    batcher = Batcher(recorder.encode, size=SIZE, wait_s=LONG_S)
    promises = [batcher.submit(chips(i, i)) for i in range(2 * SIZE)]
    closing = threading.Thread(target=batcher.close)
    closing.start()

    recorder.gate.set()
    closing.join(LONG_S)

    assert not closing.is_alive()
    assert [promise.result(0)[0, 0] for promise in promises] == list(range(2 * SIZE))


def test_a_closed_batcher_says_so_at_once(recorder: Recorder) -> None:
    batcher = Batcher(recorder.encode, size=SIZE, wait_s=LONG_S)
    batcher.close()
    batcher.close()
    with pytest.raises(WorkerStops, match="closed"):
        batcher.submit(chips(1))


def test_what_waits_when_the_worker_stops_is_left_to_others(
    batcher_of: BatcherOf, recorder: Recorder
) -> None:
    # Given a batch that runs, and two requests that wait
    recorder.gate.clear()
    batcher = batcher_of(wait_s=0.01)
    runs = batcher.submit(chips(*range(SIZE)))
    while batcher._running_since is None:
        time.sleep(0.001)
    waiting = [batcher.submit(chips(i)) for i in range(2)]

    # If the batcher gives up
    batcher.give_up()
    recorder.gate.set()

    # I expect the first to be done, and the others to be told
    assert len(runs.result(LONG_S)) == SIZE
    for promise in waiting:
        with pytest.raises(WorkerStops):
            promise.result(LONG_S)
    assert recorder.batches == [SIZE]


def test_a_batch_that_never_ends_is_no_work(
    batcher_of: BatcherOf, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.batcher.HALT_S", 0.2)
    batcher = batcher_of(wait_s=0.01)
    assert batcher.is_working()
    recorder.gate.clear()
    promise = batcher.submit(chips(1))
    deadline = time.monotonic() + LONG_S
    while batcher.is_working():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    recorder.gate.set()
    promise.result(LONG_S)
    assert batcher.is_working()


def test_a_failed_batch_fails_the_whole_of_a_request_that_was_cut(
    batcher_of: BatcherOf, recorder: Recorder
) -> None:
    # Given a request of two batches and a half, the first of which fails
    recorder.gate.clear()
    batcher = batcher_of(wait_s=0.05)
    devil = batcher.submit(chips(666, *range(2 * SIZE + 4)))
    good = batcher.submit(chips(7))
    recorder.gate.set()
    with pytest.raises(ValueError, match="devil"):
        devil.result(LONG_S)
    assert good.result(LONG_S)[0, 0] == 7


def test_what_would_be_encoded_too_late_is_not(batcher_of: BatcherOf, recorder: Recorder) -> None:
    # Given a batch that runs, and behind it a request that must be over soon and one that need not
    recorder.gate.clear()
    batcher = batcher_of(wait_s=0.01)
    runs = batcher.submit(chips(*range(SIZE)))
    soon = batcher.submit(chips(1), until=time.time_ns() + 10**8)
    late = batcher.submit(chips(2), until=time.time_ns() + 10**11)
    time.sleep(0.2)
    recorder.gate.set()

    # I expect the first of them to be told, and no place of a batch to be taken by it
    assert len(runs.result(LONG_S)) == SIZE
    with pytest.raises(TooLate):
        soon.result(LONG_S)
    assert late.result(LONG_S)[0, 0] == 2
    assert recorder.batches == [SIZE, 1]
