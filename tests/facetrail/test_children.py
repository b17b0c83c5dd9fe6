"""Processes that end with the one that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from facetrail.children import end

DEAF = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
signal.pause()
"""
PARENT = """
import subprocess, sys, time
from facetrail.children import end_with_parent
child = subprocess.Popen(["sleep", "100"], preexec_fn=end_with_parent)
print(child.pid, flush=True)
time.sleep(100)
"""


def started(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def test_a_process_is_asked_to_end() -> None:
    with started("sleep", "100") as process:
        end(process, wait_s=5.0)
        assert process.returncode == -signal.SIGTERM


def test_one_that_does_not_listen_is_killed() -> None:
    with started(sys.executable, "-c", DEAF) as process:
        assert process.stdout is not None
        process.stdout.readline()
        end(process, wait_s=0.1)
        assert process.returncode == -signal.SIGKILL


def test_one_that_has_ended_keeps_its_status() -> None:
    with started("false") as process:
        process.wait(5)
        end(process, wait_s=5.0)
        assert process.returncode == 1


def test_a_child_ends_when_its_parent_is_killed(wait_for: Callable[..., None]) -> None:
    with started(sys.executable, "-c", PARENT) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
        wait_for(lambda: not runs(child))


def runs(pid: int) -> bool:
    """Whether a process is there and no zombie, which waits for whoever inherits it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
