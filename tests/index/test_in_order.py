"""Several threads work, and results come in the order of what was given."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

import numpy as np
import pytest

from index.photos.detectors import Detectors
from index.photos.in_order import AHEAD, in_order
from ingest.faces.face import Face, Picture


@pytest.mark.parametrize("threads", [1, 4])
def test_results_come_in_the_order_given(threads: int) -> None:
    assert list(in_order(lambda n: n * n, range(100), threads=threads)) == [
        n * n for n in range(100)
    ]
    assert list(in_order(str, [], threads=threads)) == []


def test_so_many_threads_work_at_once() -> None:
    meet = threading.Barrier(3, timeout=30)
    assert len(list(in_order(lambda _: meet.wait(), range(9), threads=3))) == 9


def test_it_looks_only_a_few_items_ahead() -> None:
    taken = itertools.count()
    items = (next(taken) for _ in itertools.count())
    results = in_order(str, items, threads=2)
    assert [next(results) for _ in range(10)] == [str(n) for n in range(10)]
    assert next(taken) <= 10 + 2 * AHEAD + 1
    results.close()  # type: ignore[attr-defined]


def test_what_a_thread_raises_is_raised_and_no_thread_stays(
    wait_for: Callable[..., None],
) -> None:
    before = threading.active_count()
    results = in_order(lambda n: 1 // n, [1, 0, 2], threads=2)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert threading.active_count() == before


def test_as_many_threads_detect_as_there_are_detectors() -> None:
    # Given two detectors, each for one thread at a time
    meet = threading.Barrier(2, timeout=30)
    busy = [threading.Lock(), threading.Lock()]

    class OneThread:
        def __init__(self, lock: threading.Lock) -> None:
            self.lock = lock

        def detect(self, picture: Picture) -> list[Face]:
            assert self.lock.acquire(blocking=False), "two threads at once"
            meet.wait()
            self.lock.release()
            return []

    # If four threads use them, I expect them to take turns, two at a time
    shared = Detectors(OneThread(lock) for lock in busy)
    black = np.zeros((9, 9, 3), np.uint8)
    assert list(in_order(lambda _: shared.detect(black), range(20), threads=4)) == [[]] * 20


def test_a_detector_that_fails_is_free_again() -> None:
    class Fails:
        def detect(self, picture: Picture) -> list[Face]:
            raise ZeroDivisionError

    shared = Detectors([Fails()])
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            shared.detect(np.zeros((9, 9, 3), np.uint8))
