"""The process that started a camera's process, as that one hears it on its stdin."""

from __future__ import annotations

import os
import select
import sys
import threading

import msgspec
from pydantic import ValidationError

from facetrail.cameras import Camera
from facetrail.errors import BadSettings

#: A parent that says nothing for so long hangs. Its lease of 5 s has run out by then, and no
#: camera may be read by two hosts for longer than another such.
PARENT_S = 8.0


class Parent(threading.Thread):
    """Hears the camera's settings first, then how much memory may hold what waits to be sent.

    buffer_mb: as it was said last; None before. stop: set when the parent is gone or silent.
    """

    def __init__(self, stop: threading.Event) -> None:
        super().__init__(name="parent", daemon=True)
        self.buffer_mb: float | None = None
        self._stop = stop
        self._heard = bytearray()

    def camera(self) -> Camera:
        """The settings, waited for; to be called before `start`. Raises BadSettings, or ends."""
        # Not through sys.stdin: Python can't end while a thread waits within its buffer.
        while b"\n" not in self._heard and (part := os.read(sys.stdin.fileno(), 65_536)):
            self._heard += part
        if not self._heard:  # a spare process, and whoever started it has ended
            sys.exit(0)
        line, _, rest = self._heard.partition(b"\n")
        self._heard = bytearray(rest)
        try:
            return Camera.model_validate(msgspec.json.decode(line))
        except (msgspec.DecodeError, ValidationError):
            raise BadSettings(
                "expected a camera's settings as a line of JSON on stdin: start "
                "`python -m ingest`, which sends it"
            ) from None

    def run(self) -> None:
        stdin, patience_s = sys.stdin.fileno(), None
        while select.select([stdin], [], [], patience_s)[0] and (part := os.read(stdin, 4096)):
            patience_s = PARENT_S
            self._heard += part
            *lines, rest = self._heard.split(b"\n")
            self._heard = bytearray(rest)
            if said := [line for line in lines if line.strip()]:
                self.buffer_mb = float(said[-1])
        self._stop.set()


def say_alive(stop: threading.Event) -> None:
    """Writes a dot to stdout; where nobody hears it, nobody would want the camera watched."""
    try:
        os.write(sys.stdout.fileno(), b".")
    except BrokenPipeError:
        stop.set()
