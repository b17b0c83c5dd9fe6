"""A camera's process, seen from the one that starts, restarts and ends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress

import structlog

from facetrail.cameras import Camera
from ingest.backoff import Backoff
from ingest.camera import HANG_STATUS
from ingest.sharing.spares import Process, start

#: A process that has not said for so long that it lives is killed: that its camera is gone is
#: said within ten seconds. Starting takes longer where many start, and much longer on a machine
#: that is overloaded: that it does is said, and only one that takes forever is killed.
SILENT_S = 8.0
SAID_S = 30.0
START_S = 180.0
#: One that lived for so long did not die of its start: the next one starts soon.
STEADY_S = 30.0
#: Less than a lease: where that has run out, another host reads the camera meanwhile.
STOP_S = 4.5
#: One that was killed as the last of a host may wait for a device: it is not waited for.
REAP_S = 1.0

log = structlog.get_logger(__name__)


class Watcher:
    """Keeps one process watching a camera. start: starts it.

    buffer_mb: memory for what waits to be sent, of which the process is told.
    """

    def __init__(
        self,
        camera: Camera,
        *,
        start: Callable[[], Process] = start,
        backoff: Backoff | None = None,
    ) -> None:
        self.camera = camera
        self.buffer_mb = 0.0
        self._start_process = start
        self._process: Process | None = None
        self._backoff = backoff or Backoff()
        self._failures = 0
        self._start_at = 0.0
        self._heard_at = 0.0
        self._began_at = 0.0
        self._lives = False
        self._kill_at: float | None = None
        self._killed: str | None = None
        self._said_slow = False

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def starting(self) -> bool:
        """Whether its process is there and has not said yet that it lives."""
        return self.running and not self._lives

    @property
    def lives(self) -> bool:
        """Whether its process is there and has said that it lives."""
        return self.running and self._lives

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def step(self, now: float) -> str | None:
        """Starts what is not running, kills what is silent. now: a monotonic clock's.

        Returns why nobody watches, if that is new.
        """
        if self._process is None:
            return self._start(now) if now >= self._start_at else None
        if self._process.poll() is not None:
            return self._died(now, _end(self._process.returncode))
        patience_s = SILENT_S if self._lives else START_S
        if self._heard():
            self._heard_at, self._lives = now, True
            if now - self._began_at > STEADY_S:
                self._failures = 0
        elif now - self._heard_at > patience_s and self._killed is None:
            # Said now: one that waits for a device takes its time to end.
            self._killed, self._lives = f"was silent for {patience_s:.0f} s and was killed", False
            self._process.kill()
            return f"its process {self._killed}"
        self._beat()
        return self._slowness(now)

    def _slowness(self, now: float) -> str | None:
        """That a start takes long, once."""
        slow = self.starting and self._killed is None and now - self._began_at > SAID_S
        if not slow or self._said_slow:
            return None
        self._said_slow = True
        return f"its process has not started within {SAID_S:.0f} s: this machine is overloaded"

    def ask_to_stop(self) -> None:
        """The process ends its tracks, sends the last chips, and ends."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def has_ended(self, now: float) -> bool:
        """Whether a process that was asked to stop is gone; its end is enforced after a while."""
        if self.running:
            self._kill_at = self._kill_at or now + STOP_S
            if now >= self._kill_at and self._process is not None:
                self._process.kill()
            return False
        self._reap()
        return True

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
            process = self._start_process()
        except OSError as error:  # no memory or no process left: other cameras go on
            return self._died(now, f"can't be started ({error.strerror})")
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("expected pipes, got none")
        os.set_blocking(stdout.fileno(), False)
        self._process, self._lives, self._said_slow = process, False, False
        self._began_at = self._heard_at = now
        with suppress(BrokenPipeError):  # it has died already; the next step says so
            stdin.write(json.dumps(self.camera.with_secrets()).encode() + b"\n")
            stdin.flush()
        return None

    def _beat(self) -> None:
        """Tells the process that it is still wanted: it ends by itself where nobody says so."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):  # it has died just now
                os.write(self._process.stdin.fileno(), f"{self.buffer_mb:.4f}\n".encode())

    def _heard(self) -> bool:
        stdout = self._process.stdout if self._process else None
        return bool(stdout and stdout.read())

    def _died(self, now: float, how: str) -> str | None:
        """How, unless that was said when it was killed."""
        told, self._killed = self._killed, None
        how = told or how
        self._failures += 1
        pause = self._backoff.pause(self._failures)
        self._start_at = now + pause
        log.error(f"camera's process {how}; again in {pause:.1f} s", camera=self.camera.name)
        self._reap()
        return None if told else f"its process {how}"

    def _reap(self) -> None:
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(REAP_S)
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()
            self._process = None


def _end(status: int) -> str:
    """How a process ended, for people to read."""
    if status == HANG_STATUS:
        return "ended, since its decoder hung"
    if status < 0:
        names = {one.value: one.name for one in signal.Signals}
        return f"was ended by {names.get(-status, f'signal {-status}')}"
    return f"ended with status {status}"
