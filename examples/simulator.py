"""Clips as RTSP cameras: deploy/simulator/rtsp_server.py as a child."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

#: Debian's GStreamer bindings belong to the system's Python, not to our environment.
PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).parents[1] / "deploy" / "simulator" / "rtsp_server.py"
PASSWORD = "SIMULATOR_PASSWORD"
STOP_S = 5.0

PROBE = """
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
elements = "filesrc qtdemux appsink appsrc rtph264pay rtpbin".split()
raise SystemExit(not all(map(Gst.ElementFactory.find, elements)))
"""


class NoRtspServer(Exception):
    """There is none on this machine, or it did not start; files can be cameras instead."""


class Simulator:
    """Each clip at `url(name)` while the `with` block runs.

    clock: whether RTCP says what time it is. once: each client gets a clip once from its start,
    instead of a live picture that all share. user, password: what clients have to give. log: a
    file for the server's words.
    Raises NoRtspServer on entering.
    """

    def __init__(
        self,
        clips: Mapping[str, Path],
        *,
        log: Path,
        once: bool = False,
        clock: bool = True,
        user: str | None = None,
        password: str = "",
    ) -> None:
        self._clips = clips
        self._log = log
        self._options = ["--once"] * once + ["--no-clock"] * (not clock)
        self._user, self._password = user, password
        self._address = ""

    def __enter__(self) -> Self:
        if not available():
            raise NoRtspServer(
                "there is no RTSP server on this machine: sudo apt-get install python3-gi "
                "gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
            )
        self._process = self._start()
        ready = self._process.stdout.readline().split() if self._process.stdout else []
        if not ready:
            self._stop()
            raise NoRtspServer(f"the RTSP server did not start; {self._log} says why")
        self._address = ready[1].removeprefix("rtsp://")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def url(self, name: str) -> str:
        """The camera's URL, with user and password where they are needed."""
        login = f"{self._user}:{quote(self._password, safe='')}@" if self._user else ""
        return f"rtsp://{login}{self._address}/{name}"

    def _start(self) -> subprocess.Popen[str]:
        options = [*self._options, "--exit-with-parent"]
        if self._user:
            options += ["--user", self._user, "--password-env", PASSWORD]
        clips = [f"{name}={path}" for name, path in self._clips.items()]
        with self._log.open("ab") as log:
            # A session of its own: Ctrl-C must not end the cameras before those who watch.
            return subprocess.Popen(
                [PYTHON, str(SERVER), *options, *clips],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | {PASSWORD: self._password},
                start_new_session=True,
            )

    def _stop(self) -> None:
        with self._process as process:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def available() -> bool:
    """Whether the system's Python finds GStreamer's RTSP server and the elements it takes."""
    try:
        probe = subprocess.run([PYTHON, "-c", PROBE], capture_output=True, check=False)
    except OSError:
        return False
    return probe.returncode == 0
