"""Cameras that are not there, servers that are, and clocks that need no time."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from examples import simulator
from ingest.faces.face import Picture
from tests.ingest.clips import moving, passing, write_clip

PASSWORD = "p@ss:w/rd%"
#: Serves access units, and sound.
CAMERAS = Path(__file__).with_name("rtsp_cameras.py")


class Pauses(threading.Event):
    """Waits for nothing and writes each wait down; is set after the last it may have."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.taken: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.taken.append(timeout or 0.0)
        if len(self.taken) >= self.most:
            self.set()
        return self.is_set()


class RtspServer:
    """deploy/simulator/rtsp_server.py with a clip at /lobby, on a port it keeps.

    clip, options, script: of the next start.
    """

    def __init__(self, clip: Path, *options: str, script: Path = simulator.SERVER) -> None:
        self.clip = clip
        self.options = options
        self.script = script
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [simulator.PYTHON, str(self.script), "--port", str(self.port)]
        self._process = subprocess.Popen(
            [*command, *self.options, "--exit-with-parent", f"lobby={self.clip}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PW": PASSWORD},
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline().split()[1].rpartition(b":")[2])

    def kill(self) -> None:
        if self._process is not None:
            with self._process as process:
                process.kill()

    def url(self, login: str = "", *, port: int | None = None) -> str:
        """port: of a proxy before the server, if there is one."""
        return f"rtsp://{login}127.0.0.1:{port or self.port}/lobby"


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a square that moves, 15 frames a second."""
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", moving(30))


@pytest.fixture(scope="session")
def face_clip(tmp_path_factory: pytest.TempPathFactory, astronaut: Picture) -> Path:
    """Two seconds of a face that moves, 15 frames a second."""
    return write_clip(tmp_path_factory.mktemp("clips") / "face.mp4", passing(30, astronaut))


@pytest.fixture
def rtsp_server(rtsp_server: object, clip: Path) -> Iterator[Callable[..., RtspServer]]:
    """`rtsp_server("--once")` starts one, where the fixture of that name found GStreamer."""
    made: list[RtspServer] = []

    def started(*options: str, clip: Path = clip, script: Path = simulator.SERVER) -> RtspServer:
        made.append(RtspServer(clip, *options, script=script))
        made[-1].start()
        return made[-1]

    yield started
    for server in made:
        server.kill()


@pytest.fixture
def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port at which somebody listens and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield int(server.getsockname()[1])


def login(user: str, password: str) -> str:
    return f"{quote(user, safe='')}:{quote(password, safe='')}@"
