"""Processes that have loaded all they need and wait for a camera."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

COMMAND = (sys.executable, "-m", "ingest.watch")

#: Pictures of up to 8K are taken from memory that the process has already: to ask the system for
#: each anew costs as much as to fill it. glibc's names, in bytes.
MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**27), "MALLOC_TRIM_THRESHOLD_": str(2**27)}

Process = subprocess.Popen[bytes]


def start(command: Sequence[str] = COMMAND) -> Process:
    """A camera's process, which is told its camera on stdin. Raises OSError."""
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | MEMORY
    )


class Spares:
    """Starts camera processes ahead: loading takes seconds that a dead host's cameras lack."""

    def __init__(self, start: Callable[[], Process] = start) -> None:
        self._start = start
        self._idle: list[Process] = []

    @property
    def processes(self) -> list[int]:
        return [process.pid for process in self._idle]

    def take(self) -> Process:
        """One that waits, or else a new one. Raises OSError."""
        while self._idle:
            process = self._idle.pop(0)
            if process.poll() is None:
                return process
            _end(process)
        return self._start()

    def add(self, most: int) -> None:
        """Starts one more, if there are fewer; where that can't be, there is none."""
        for dead in [process for process in self._idle if process.poll() is not None]:
            self._idle.remove(dead)
            _end(dead)
        if len(self._idle) < most:
            with suppress(OSError):
                self._idle.append(self._start())

    def stop(self) -> None:
        while self._idle:
            _end(self._idle.pop())


def _end(process: Process) -> None:
    process.kill()  # it does nothing yet
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
