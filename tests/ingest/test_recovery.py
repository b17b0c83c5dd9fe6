"""`python -m ingest` says within ten seconds that a camera is gone, whatever fails, and returns."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from facetrail.children import end
from facetrail.events import MatchEvent, replay
from facetrail.store import Keys
from tests.ingest.conftest import CAMERAS, RtspServer
from tests.ingest.proxy import Proxy

#: For a machine that is busy with other tests.
START_S = 60.0
#: What is promised, and a little for the busy machine.
TOLD_S = 10.0 + 3.0

Wait = Callable[..., None]
Start = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture
def start(redis_url: str, client: redis.Redis, tmp_path: Path) -> Iterator[Start]:
    """`start(camera file's text)` runs one; its log is `ingest.log`."""
    running: list[subprocess.Popen[bytes]] = []

    def started(cameras: str) -> subprocess.Popen[bytes]:
        path = tmp_path / "cameras.yml"
        path.write_text(cameras)
        variables = {"FACETRAIL_REDIS_URL": redis_url, "FACETRAIL_CAMERAS": str(path)}
        with (tmp_path / "ingest.log").open("ab") as log:
            command = [sys.executable, "-m", "ingest"]
            running.append(
                subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | variables)
            )
        return running[-1]

    yield started
    for process in running:
        end(process, wait_s=10.0)


class Told:
    """What Redis says of one camera since the last time it was asked."""

    def __init__(self, client: redis.Redis, keys: Keys, camera: str) -> None:
        self._client, self._keys, self._camera = client, keys, camera
        self._since = "0"
        self.last: MatchEvent | None = None

    def is_online(self) -> bool:
        return self._last_is("camera_online")

    def is_offline(self) -> bool:
        return self._last_is("camera_offline")

    def _last_is(self, kind: str) -> bool:
        for event in replay(self._client, self._keys, self._since):
            self._since = event.sequence
            if event.camera == self._camera:
                self.last = event
        return self.last is not None and self.last.type == kind


def reader_of(ingest: subprocess.Popen[bytes], port: int) -> int:
    """The camera's process that holds a connection to that port."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    inodes = {line.split()[9] for line in lines if line.split()[2].endswith(f":{port:04X}")}
    children = Path(f"/proc/{ingest.pid}/task/{ingest.pid}/children").read_text().split()
    for child in children:
        for link in Path(f"/proc/{child}/fd").iterdir():
            if any(f"[{inode}]" in os.readlink(link) for inode in inodes):
                return int(child)
    raise AssertionError(f"no process reads port {port}")


def test_that_a_camera_is_gone_is_said_soon_and_that_it_is_back(
    start: Start,
    rtsp_server: Callable[..., RtspServer],
    client: redis.Redis,
    keys: Keys,
    wait_for: Wait,
) -> None:
    # Given two cameras that show their picture
    server = rtsp_server()
    with Proxy(server.port) as proxy, Proxy(server.port) as other:
        ingest = start(
            f"defaults: {{hwaccel: none}}\ncameras:\n"
            f"  lobby: {{url: '{server.url(port=proxy.port)}'}}\n"
            f"  yard: {{url: '{server.url(port=other.port)}'}}\n"
        )
        lobby, yard = Told(client, keys, "lobby"), Told(client, keys, "yard")
        wait_for(lobby.is_online, START_S)
        wait_for(yard.is_online, START_S)
        neighbour = reader_of(ingest, other.port)

        # If nothing comes any more, or its process hangs or crashes, I expect that to be told
        with proxy.failing("freeze"):
            wait_for(lobby.is_offline, TOLD_S)
        assert lobby.last is not None and lobby.last.cause == "no answer within 5 s"
        wait_for(lobby.is_online, START_S)

        for number, cause in (
            (signal.SIGSTOP, "its process was silent for 8 s and was killed"),
            (signal.SIGSEGV, "its process was ended by SIGSEGV"),
        ):
            os.kill(reader_of(ingest, proxy.port), number)
            wait_for(lobby.is_offline, TOLD_S)
            assert lobby.last.cause == cause
            wait_for(lobby.is_online, START_S)

        # and nothing of it to have touched the other one
        assert not yard.is_offline() and reader_of(ingest, other.port) == neighbour


def test_cameras_that_are_none_are_told_and_do_not_keep_others_from_being_read(
    start: Start,
    rtsp_server: Callable[..., RtspServer],
    closed_port: int,
    client: redis.Redis,
    keys: Keys,
    wait_for: Wait,
    tmp_path: Path,
) -> None:
    # Given a camera that is one, and others that are not
    sound = rtsp_server(clip=Path("sound"), script=CAMERAS).url()
    good = rtsp_server().url()
    (tmp_path / "notes.mp4").write_text("not a clip")
    ingest = start(
        f"cameras:\n  sound: {{url: '{sound}'}}\n  notes: {{url: notes.mp4}}\n"
        f"  closed: {{url: 'rtsp://127.0.0.1:{closed_port}/s'}}\n  lobby: {{url: '{good}'}}\n"
    )
    causes = {
        "sound": "there is no picture in it, only other streams",
        "notes": "the file is no video, or a spoilt one",
        "closed": "Connection refused",
    }

    # I expect each to be told by its name, and the good one to be read
    for name, cause in causes.items():
        told = Told(client, keys, name)
        wait_for(told.is_offline, START_S)
        assert told.last is not None and told.last.cause == cause
    wait_for(Told(client, keys, "lobby").is_online, START_S)
    assert ingest.poll() is None
    log = (tmp_path / "ingest.log").read_text()
    for name, cause in causes.items():
        assert any(f"camera={name}" in line and cause in line for line in log.splitlines())
    assert "Traceback" not in log


def test_the_time_until_a_silent_camera_is_told_fits_the_promise() -> None:
    from ingest.camera import HANGS_S, SAID_AFTER_S
    from ingest.reading.packets import Patience
    from ingest.sharing.watcher import SILENT_S
    from ingest.watch import BEAT_S

    patience = Patience()
    longest = max(patience.read_s, patience.picture_s, HANGS_S, SAID_AFTER_S, SILENT_S)
    assert longest + BEAT_S + 0.5 < 10
