"""Processes started ahead: taken when one is needed, and never left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from ingest.sharing.spares import Spares, start

WAITS = ("sh", "-c", "cat > /dev/null")


@pytest.fixture
def spares() -> Iterator[Spares]:
    made = Spares(partial(start, WAITS))
    yield made
    made.stop()


def test_one_that_waits_is_taken_and_else_a_new_one(spares: Spares) -> None:
    spares.add(most=1)
    spares.add(most=1)
    (waiting,) = spares.processes
    first, second = spares.take(), spares.take()
    assert first.pid == waiting != second.pid
    assert spares.processes == []
    for process in (first, second):
        with process:
            process.kill()


def test_one_that_has_died_is_not_taken(spares: Spares) -> None:
    spares.add(most=1)
    (dead,) = spares._idle
    dead.kill()
    dead.wait()
    with spares.take() as process:
        assert process.pid != dead.pid and process.poll() is None
        process.kill()


def test_none_is_left_behind(spares: Spares) -> None:
    spares.add(most=2)
    spares.add(most=2)
    waiting = list(spares._idle)
    spares.stop()
    assert spares.processes == [] and all(one.returncode == -9 for one in waiting)


def test_one_that_can_not_be_started_is_no_spare() -> None:
    none = Spares(partial(start, ("/nowhere/python",)))
    none.add(most=1)
    assert none.processes == []
    with pytest.raises(FileNotFoundError):
        none.take()


def test_one_that_died_is_replaced(spares: Spares, wait_for: Callable[..., None]) -> None:
    spares.add(1)
    (first,) = spares.processes
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: spares.add(1) or spares.processes not in ([], [first]))
