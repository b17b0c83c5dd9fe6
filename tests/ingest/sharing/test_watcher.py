"""A camera's process is started, heard, started again, and ended; other programs stand in."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from facetrail.cameras import Camera
from ingest.backoff import Backoff
from ingest.camera import HANG_STATUS
from ingest.sharing.spares import start
from ingest.sharing.watcher import SAID_S, SILENT_S, START_S, STEADY_S, Watcher

CAMERA = Camera(name="lobby", url=SecretStr("rtsp://u:hunter2@h/s"), zones={})
#: Says at once that it lives, then waits for the end of its stdin.
LIVES = "import sys; print('.', flush=True); sys.stdin.read()"
#: Says nothing and does not care.
DEAF = "import time; time.sleep(100)"
#: Says where it stands and writes down what it is told.
WRITES = "import sys; open(sys.argv[1], 'w').write(sys.stdin.readline()); " + LIVES

Wait = Callable[..., None]
Watched = Callable[..., Watcher]


@pytest.fixture
def watcher() -> Iterator[Watched]:
    """`watcher(program, …)` whose process is that Python program."""
    made: list[Watcher] = []

    def watching(program: str, *arguments: str) -> Watcher:
        command = (sys.executable, "-S", "-c", program, *arguments)
        made.append(
            Watcher(CAMERA, start=partial(start, command), backoff=Backoff(first_s=2, most_s=2))
        )
        return made[-1]

    yield watching
    for one in made:
        one.stop(wait_s=0.0)


def heard(watcher: Watcher, now: float) -> bool:
    watcher.step(now)
    return not watcher.starting


def test_a_process_starts_and_is_heard(watcher: Watched, wait_for: Wait) -> None:
    one = watcher(LIVES)
    assert not one.running and one.pid is None
    one.step(100.0)
    assert one.running and one.starting
    wait_for(lambda: heard(one, 101.0))
    assert one.running


def test_the_camera_is_told_on_stdin_and_nowhere_else(
    watcher: Watched, wait_for: Wait, tmp_path: Path
) -> None:
    one = watcher(WRITES, str(tmp_path / "told"))
    one.step(100.0)
    wait_for(lambda: heard(one, 101.0))
    told = json.loads((tmp_path / "told").read_text())
    assert told["url"] == "rtsp://u:hunter2@h/s"
    assert Camera.model_validate(told) == CAMERA
    for name in ("cmdline", "environ"):
        assert b"hunter2" not in Path(f"/proc/{one.pid}/{name}").read_bytes()


def test_one_that_ended_is_started_again_after_a_pause(watcher: Watched, wait_for: Wait) -> None:
    # Given a process that lived and was killed
    one = watcher(LIVES)
    one.step(100.0)
    wait_for(lambda: heard(one, 101.0))
    assert one.pid is not None
    first = one.pid
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: not one.running)

    # If time goes on, I expect another one, but not at once
    with capture_logs() as lines:
        one.step(102.0)
    assert [line["event"].split(";")[0] for line in lines] == [
        "camera's process was ended by SIGKILL"
    ]
    assert lines[0]["camera"] == "lobby"
    one.step(102.9)
    assert one.pid is None
    one.step(104.1)
    assert one.running and one.pid != first


def test_one_that_never_lives_is_tried_less_and_less(watcher: Watched, wait_for: Wait) -> None:
    one = watcher("raise SystemExit(3)")
    one._backoff = Backoff(first_s=1, most_s=100)
    pauses, now = [], 100.0
    for _ in range(4):
        one.step(now)
        wait_for(lambda: not one.running)
        one.step(now)
        pauses.append(one._start_at - now)
        now = one._start_at
    assert all(2**i / 2 <= pause <= 2**i for i, pause in enumerate(pauses))


def test_one_that_never_says_that_it_lives_is_killed(watcher: Watched, wait_for: Wait) -> None:
    one = watcher(DEAF)
    one.step(100.0)
    pid = one.pid
    assert one.step(100.0 + SAID_S) is None
    slow = "its process has not started within 30 s: this machine is overloaded"
    assert one.step(100.0 + SAID_S + 1) == slow
    assert one.step(100.0 + START_S) is None and one.running
    assert one.step(100.0 + START_S + 1) == "its process was silent for 180 s and was killed"
    wait_for(lambda: not one.running)
    assert one.step(100.0 + START_S + 2) is None  # it was said already
    assert one.pid is None and not Path(f"/proc/{pid}").exists()


def test_one_that_falls_silent_is_killed_soon(watcher: Watched, wait_for: Wait) -> None:
    # Given a process that lived and is stopped
    one = watcher(LIVES)
    one.step(100.0)
    wait_for(lambda: heard(one, 101.0))
    assert one.pid is not None
    os.kill(one.pid, signal.SIGSTOP)

    # I expect its end in time for its camera to be told offline within ten seconds
    one.step(101.0 + SILENT_S)
    assert one.running
    assert one.step(101.0 + SILENT_S + 0.3) == "its process was silent for 8 s and was killed"
    assert not one.lives and SILENT_S + 0.3 < 10
    wait_for(lambda: not one.running)


@pytest.mark.parametrize(
    ("program", "how"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "was ended by SIGSEGV"),
        (f"raise SystemExit({HANG_STATUS})", "ended, since its decoder hung"),
        ("raise SystemExit(1)", "ended with status 1"),
    ],
)
def test_how_a_process_ended_is_said(
    program: str, how: str, watcher: Watched, wait_for: Wait
) -> None:
    one = watcher(program)
    one.step(100.0)
    wait_for(lambda: not one.running)
    assert one.step(101.0) == f"its process {how}"


def test_only_a_long_life_makes_the_next_start_early(watcher: Watched, wait_for: Wait) -> None:
    # Given a process that says all the time that it lives, after several that died
    one = watcher("import time\nwhile True: print('.', flush=True); time.sleep(0.01)")
    one._failures = 5
    one.step(100.0)
    wait_for(lambda: heard(one, 101.0))
    assert one._failures == 5

    # If it has lived for a while, I expect them to be forgotten
    one._began_at = 101.0 - STEADY_S - 1
    wait_for(lambda: heard(one, 101.0) and one._failures == 0)


@pytest.mark.parametrize("command", [("/nowhere/python",), ("/bin/true",)])
def test_one_that_can_not_be_started_or_told_kills_nobody(
    command: tuple[str, ...], wait_for: Wait
) -> None:
    one = Watcher(CAMERA, start=partial(start, command))
    one.step(100.0)
    wait_for(lambda: not one.running)
    one.step(100.0)
    assert one.pid is None
    one.stop()


def test_a_stop_is_asked_for_through_stdin(watcher: Watched, wait_for: Wait) -> None:
    one = watcher(LIVES)
    one.step(100.0)
    pid = one.pid
    one.stop(wait_s=10.0)
    assert not one.running and not Path(f"/proc/{pid}").exists()


def test_a_stop_is_enforced(watcher: Watched) -> None:
    one = watcher(DEAF)
    one.step(100.0)
    pid = one.pid
    one.stop(wait_s=0.05)
    assert not one.running and not Path(f"/proc/{pid}").exists()
