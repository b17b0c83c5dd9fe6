"""What a machine has for cameras: all of it but what other programs use."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest.sharing import load
from ingest.sharing.load import LEAST_SHARE, SpareCores, machine_s, process_s

CORES = len(os.sched_getaffinity(0))

Wait = Callable[..., None]


@pytest.fixture
def busy() -> Iterator[int]:
    """A process that works as much as it can."""
    with subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) as process:
        yield process.pid
        process.kill()


def test_work_of_ours_leaves_the_machine_to_us(busy: int, wait_for: Wait) -> None:
    # Given two who look at the same machine, one of whom owns what works there
    owner, stranger = SpareCores(), SpareCores()
    before = machine_s()
    wait_for(lambda: process_s(busy) > 0.5)
    assert machine_s() - before >= 0.4

    # I expect it to count as another's only for the other one
    spare, left = owner.measure([busy]), stranger.measure([])
    assert LEAST_SHARE * CORES <= left < spare <= CORES


def test_a_process_that_has_ended_used_nothing() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    assert process_s(process.pid) == 0.0


def test_work_of_others_is_smoothed_and_leaves_a_little() -> None:
    # Given others who used the whole machine since long ago
    spare = SpareCores()
    spare._busy -= 1e6 * CORES
    spare._at -= 1e6
    assert spare.measure([]) == LEAST_SHARE * CORES

    # If they do no more for a moment, I expect that not to be believed at once
    now = spare.measure([])
    assert now == LEAST_SHARE * CORES


@pytest.mark.parametrize(
    ("quota", "cores"), [("50000 100000\n", 0.5), ("max 100000\n", None), ("", None)]
)
def test_a_containers_share_of_the_machine_counts(
    quota: str, cores: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(load, "_QUOTA", tmp_path / "cpu.max")
    assert load.own_cores() == (cores or len(os.sched_getaffinity(0)))
