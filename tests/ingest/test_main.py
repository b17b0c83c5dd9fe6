"""`python -m ingest`: a process for each camera, none of which harms another or outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from facetrail.children import end, is_running
from facetrail.events import MatchEvent, replay
from facetrail.store import Keys
from facetrail.wire import FaceChip, TrackEnded
from ingest.parent import PARENT_S
from ingest.saying.status import status_of
from tests.ingest.queued import items

PASSWORD = "p@ss:w/rd%hunter2"
START_S = 60.0

Wait = Callable[..., None]
Process = subprocess.Popen[bytes]
Start = Callable[..., Process]


@pytest.fixture
def start(redis_url: str, client: redis.Redis, tmp_path: Path) -> Iterator[Start]:
    """`start(camera file's text)` runs one; its log is `ingest.log`."""
    running: list[Process] = []
    (tmp_path / "cameras.yml").touch()

    def started(cameras: str, **variables: str) -> Process:
        (tmp_path / "cameras.yml").write_text(cameras)
        environment = os.environ | {
            "FACETRAIL_REDIS_URL": redis_url,
            "FACETRAIL_CAMERAS": str(tmp_path / "cameras.yml"),
            "PW": PASSWORD,
        }
        with (tmp_path / "ingest.log").open("ab") as log:
            command = [sys.executable, "-m", "ingest"]
            running.append(
                subprocess.Popen(command, stdout=log, stderr=log, env=environment | variables)
            )
        return running[-1]

    yield started
    for process in running:
        end(process, wait_s=10.0)


def children(pid: int) -> list[int]:
    """The processes that a process has started and that are there."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if is_running(int(child))]


def of_type(client: redis.Redis, keys: Keys, kind: str) -> list[MatchEvent]:
    return [event for event in replay(client, keys, "0") if event.type == kind]


def test_one_camera_is_watched_while_another_is_dead(
    start: Start,
    face_clip: Path,
    closed_port: int,
    client: redis.Redis,
    keys: Keys,
    wait_for: Wait,
    tmp_path: Path,
) -> None:
    # Given a camera that shows a face, and one at whose address nobody answers
    ingest = start(
        f"cameras:\n  lobby:\n    url: {face_clip}\n"
        f"  yard:\n    url: rtsp://viewer:{{PW}}@127.0.0.1:{closed_port}/s\n"
    )
    wait_for(lambda: any(isinstance(i, TrackEnded) for i in items(client, keys)), START_S)
    wait_for(lambda: of_type(client, keys, "camera_offline"), START_S)

    # I expect chips of the one, and the reason of the other
    first = items(client, keys)[0]
    assert isinstance(first, FaceChip) and first.camera == "lobby"
    (online,) = of_type(client, keys, "camera_online")
    assert online.camera == "lobby"
    (offline,) = of_type(client, keys, "camera_offline")
    assert (offline.camera, offline.cause) == ("yard", "Connection refused")
    _assert_password_is_nowhere(ingest, client, keys, tmp_path)

    # If the process of the first is killed, I expect that to be said, another, and frames again
    victims: list[int] = []
    wait_for(lambda: victims.extend(_readers(ingest, face_clip)) or victims)
    (victim,) = victims
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: len(of_type(client, keys, "camera_online")) == 2, START_S)
    assert not is_running(victim)
    causes = {e.cause for e in of_type(client, keys, "camera_offline") if e.camera == "lobby"}
    assert causes == {"its process was ended by SIGKILL"}
    assert {client.exists(keys.lease(name)) for name in ("lobby", "yard")} == {1}

    # If it is asked to end, I expect nothing to be left, neither process nor lease
    processes = children(ingest.pid)
    assert len(processes) == 2
    ingest.terminate()
    assert ingest.wait(8) == 0
    assert not any(map(is_running, processes))
    assert not client.keys(keys.lease("*"))
    assert "Traceback" not in (tmp_path / "ingest.log").read_text()
    assert all(key.startswith(keys.prefix.encode()) for key in client.keys("*"))


def _readers(ingest: Process, path: Path) -> list[int]:
    """The camera processes that have that file open; between two rounds none has."""
    return [pid for pid in children(ingest.pid) if str(path) in _open_files(pid)]


def _open_files(pid: int) -> set[str]:
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            found.add(os.readlink(link))
    return found


def _assert_password_is_nowhere(
    ingest: Process, client: redis.Redis, keys: Keys, tmp_path: Path
) -> None:
    secrets = (PASSWORD, "hunter2")
    log = (tmp_path / "ingest.log").read_text()
    events = [event.json() for event in replay(client, keys, "0")]
    processes = [ingest.pid, *children(ingest.pid)]
    shown = [Path(f"/proc/{pid}/cmdline").read_text() for pid in processes]
    assert "camera lost" in log and len(shown) == 3
    for text in (log, *events, *shown):
        assert not any(secret in text for secret in secrets)


def test_a_signal_has_the_camera_file_read_and_only_what_changed_started_again(
    start: Start, clip: Path, client: redis.Redis, keys: Keys, wait_for: Wait, tmp_path: Path
) -> None:
    # Given a host that reads two cameras
    text = f"cameras:\n  lobby:\n    url: {clip}\n  yard:\n    url: {clip}\n"
    ingest = start(text)
    wait_for(lambda: len(of_type(client, keys, "camera_online")) == 2, START_S)
    before = set(children(ingest.pid))

    def yard_fps() -> float | None:
        (status,) = status_of(client, keys, ["yard"])
        return status.fps if status else None

    # If the second is changed, and the host is told
    (tmp_path / "cameras.yml").write_text(text + "    fps: 2\n")
    ingest.send_signal(signal.SIGHUP)
    wait_for(lambda: 1 < (yard_fps() or 0) < 3, START_S)

    # I expect one process to be another, and SIGHUP alone to change nothing
    after = set(children(ingest.pid))
    assert len(before & after) == 1 and len(after) == 2
    assert len(of_type(client, keys, "camera_online")) == 2  # it is no news that it is there
    ingest.send_signal(signal.SIGHUP)
    log = tmp_path / "ingest.log"
    wait_for(lambda: log.read_text().count("camera file was read again") == 2)
    assert set(children(ingest.pid)) == after
    assert {client.exists(keys.lease(name)) for name in ("lobby", "yard")} == {1}
    assert not of_type(client, keys, "camera_offline")


def test_camera_processes_end_when_their_parent_is_killed(
    start: Start, clip: Path, client: redis.Redis, keys: Keys, wait_for: Wait
) -> None:
    ingest = start(f"cameras:\n  lobby:\n    url: {clip}\n")
    wait_for(lambda: of_type(client, keys, "camera_online"), START_S)
    (child,) = children(ingest.pid)
    os.kill(ingest.pid, signal.SIGKILL)
    wait_for(lambda: not is_running(child), 8)


def test_camera_processes_end_when_their_parent_hangs(
    start: Start, clip: Path, client: redis.Redis, keys: Keys, wait_for: Wait
) -> None:
    # Given a host that hangs, so that its lease runs out and another one may read the camera
    ingest = start(f"cameras:\n  lobby:\n    url: {clip}\n")
    wait_for(lambda: of_type(client, keys, "camera_online"), START_S)
    (child,) = children(ingest.pid)
    ingest.send_signal(signal.SIGSTOP)

    # I expect its camera not to be read any more, and to be read again once it goes on
    wait_for(lambda: not is_running(child), PARENT_S + 10)
    ingest.send_signal(signal.SIGCONT)
    wait_for(lambda: len(of_type(client, keys, "camera_online")) == 2, START_S)


@pytest.mark.parametrize(
    ("cameras", "variables", "sentence"),
    [
        ("cameras:\n  lobby:\n    ulr: x\n", {}, "cameras.lobby.ulr is not a known key"),
        ("", {"FACETRAIL_FOO": "", "FACETRAIL_BUFFER_MB": "x"}, "FACETRAIL_BUFFER_MB='x' can't"),
    ],
)
def test_what_it_can_not_begin_with_is_one_sentence(
    cameras: str, variables: dict[str, str], sentence: str, start: Start, tmp_path: Path
) -> None:
    assert start(cameras, **variables).wait(30) == 1
    (line,) = (tmp_path / "ingest.log").read_text().splitlines()
    assert line.startswith("facetrail ingest: ")
    assert sentence in line
