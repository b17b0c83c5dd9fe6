"""`facetrail up` as a child, heard event by event."""

from __future__ import annotations

import math
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from facetrail.events import MatchEvent

STOP_S = 45.0
POLL_S = 0.5


class PipelineFailed(Exception):
    """It ended before its time, or printed something else than events."""


class Pipeline:
    """A command that prints one event a line; its other words go to the log.

    longest_s: after so many seconds it is stopped, whatever it does.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        longest_s: float = math.inf,
    ) -> None:
        self._command = command
        self._environment = environment
        self._log = log
        self._longest_s = longest_s
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._stopped = False

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            # A session of its own: Ctrl-C reaches it through `stop`, once.
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        threading.Thread(target=self._read, daemon=True).start()
        self._stop_at = time.monotonic() + self._longest_s
        self._kill_at = math.inf
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self.stop()
            while self._process.poll() is None:
                self._tend()
                time.sleep(POLL_S)

    def events(self) -> Iterator[MatchEvent]:
        """Events as they come, until the command has ended. Raises PipelineFailed."""
        while (line := self._next_line()) is not None:
            try:
                yield msgspec.json.decode(line, type=MatchEvent)
            except msgspec.MsgspecError as error:
                raise PipelineFailed(f"it printed {line!r}, which is no event") from error
        status = self._process.wait()
        if status and not self._stopped:
            raise PipelineFailed(f"it ended early, with status {status}")

    def stop(self) -> None:
        """Asks it to end, as Ctrl-C would; asked again, or after STOP_S, it is killed."""
        if self._process.poll() is None:
            now = time.monotonic()
            self._kill_at = min(self._kill_at, now if self._stopped else now + STOP_S)
            self._stopped = True
            self._process.send_signal(signal.SIGINT)

    def _read(self) -> None:
        with self._process.stdout or nullcontext(()) as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(None)

    def _next_line(self) -> bytes | None:
        while True:
            try:
                return self._lines.get(timeout=POLL_S)
            except queue.Empty:
                self._tend()
                # Whatever it has left behind may hold its end of the pipe for ever.
                if self._process.poll() is not None:
                    return None

    def _tend(self) -> None:
        now = time.monotonic()
        if now >= self._stop_at and not self._stopped:
            self.stop()
        if now >= self._kill_at and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
