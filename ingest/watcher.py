"""A camera's process, seen from the one that starts, restarts and ends it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

import structlog

from facetrail.cameras import Camera
from ingest.backoff import Backoff

#: A process that has not said for so long that it lives is killed. Starting counts too.
SILENT_S = 30.0
STOP_S = 6.0
COMMAND = (sys.executable, "-m", "ingest.watch")

log = structlog.get_logger(__name__)


class Watcher:
    """Keeps one process watching a camera. command: what it runs, but in tests."""

    def __init__(
        self,
        camera: Camera,
        *,
        command: Sequence[str] = COMMAND,
        backoff: Backoff | None = None,
    ) -> None:
        self.camera = camera
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._backoff = backoff or Backoff()
        self._failures = 0
        self._start_at = 0.0
        self._heard_at = 0.0
        self._lives = False

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def starting(self) -> bool:
        """Whether its process is there and has not said yet that it lives."""
        return self.running and not self._lives

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def step(self, now: float) -> str | None:
        """Starts what is not running, kills what is silent. now: a monotonic clock's.

        Returns how the process died, if it just did.
        """
        if self._process is None:
            return self._start(now) if now >= self._start_at else None
        if self._process.poll() is not None:
            return self._died(now, f"ended with status {self._process.returncode}")
        if self._heard():
            self._heard_at, self._failures, self._lives = now, 0, True
        elif now - self._heard_at > SILENT_S:
            self._process.kill()
            return self._died(now, f"was silent for {SILENT_S:.0f} s and was killed")
        return None

    def ask_to_stop(self) -> None:
        """The process ends its tracks, sends the last chips, and ends."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def stop(self, wait_s: float = STOP_S) -> None:
        """Waits for the end, which is enforced after a while."""
        self.ask_to_stop()
        if self._process is not None:
            try:
                self._process.wait(wait_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
            self._reap()

    def _start(self, now: float) -> str | None:
        try:
            process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:  # no memory or no process left: other cameras go on
            return self._died(now, f"can't be started ({error.strerror})")
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("expected pipes, got none")
        os.set_blocking(stdout.fileno(), False)
        settings = self.camera.model_dump(mode="json") | {
            "name": self.camera.name,
            "url": self.camera.url.get_secret_value(),
        }
        self._process, self._heard_at, self._lives = process, now, False
        with suppress(BrokenPipeError):  # it has died already; the next step says so
            stdin.write(json.dumps(settings).encode() + b"\n")
            stdin.flush()
        return None

    def _heard(self) -> bool:
        stdout = self._process.stdout if self._process else None
        return bool(stdout and stdout.read())

    def _died(self, now: float, how: str) -> str:
        self._failures += 1
        pause = self._backoff.pause(self._failures)
        self._start_at = now + pause
        log.error(f"camera's process {how}; again in {pause:.1f} s", camera=self.camera.name)
        self._reap()
        return f"its process {how}"

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()
            self._process = None
