from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.pipeline import Pipeline, PipelineFailed
from facetrail.events import MatchEvent

SLEEP = "import time; time.sleep(60)\n"
DEAF = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"


def child(code: str, log: Path, *, longest_s: float = math.inf) -> Pipeline:
    command = [sys.executable, "-c", code]
    return Pipeline(command, environment=os.environ, log=log, longest_s=longest_s)


@pytest.fixture
def printing(event: Callable[..., MatchEvent]) -> Callable[[str], str]:
    """Code that prints an event of a camera."""
    return lambda camera: f"print({event('camera_online', camera).json()!r}, flush=True)\n"


def test_events_come_in_order_until_the_command_ends(
    printing: Callable[[str], str], tmp_path: Path
) -> None:
    with child(printing("a") + printing("b"), tmp_path / "log") as pipeline:
        assert [event.camera for event in pipeline.events()] == ["a", "b"]


def test_a_command_that_fails_is_reported_after_its_events(
    printing: Callable[[str], str], tmp_path: Path
) -> None:
    code = printing("a") + "raise SystemExit('no cameras')"
    seen = []
    with child(code, tmp_path / "log") as pipeline, pytest.raises(PipelineFailed, match="status 1"):
        for event in pipeline.events():
            seen.append(event.camera)
    assert seen == ["a"]
    assert (tmp_path / "log").read_text() == "no cameras\n"


def test_a_line_that_is_no_event_is_reported(tmp_path: Path) -> None:
    with (
        child("print('hello')", tmp_path / "log") as pipeline,
        pytest.raises(PipelineFailed, match="hello"),
    ):
        list(pipeline.events())


def test_stopped_it_still_tells_what_it_has(printing: Callable[[str], str], tmp_path: Path) -> None:
    code = (
        f"try:\n {printing('a')} {SLEEP}"
        f"except KeyboardInterrupt:\n {printing('b')}"
        "raise SystemExit(130)"
    )
    seen = []
    with child(code, tmp_path / "log") as pipeline:
        for event in pipeline.events():
            seen.append(event.camera)
            pipeline.stop()
    assert seen[0] == "a"
    assert seen[-1] == "b"


def test_it_is_stopped_when_its_time_is_over(tmp_path: Path) -> None:
    started = time.monotonic()
    with child(SLEEP, tmp_path / "log", longest_s=1.0) as pipeline:
        assert list(pipeline.events()) == []
    assert time.monotonic() - started < 20


def test_what_does_not_stop_is_killed_when_asked_again(
    printing: Callable[[str], str], tmp_path: Path
) -> None:
    with child(DEAF + printing("a") + "time.sleep(60)", tmp_path / "log") as pipeline:
        for _ in pipeline.events():
            pipeline.stop()
            pipeline.stop()


def test_leaving_the_block_ends_it(printing: Callable[[str], str], tmp_path: Path) -> None:
    code = f"import os; print(os.getpid(), file=open({str(tmp_path / 'pid')!r}, 'w'))\n"
    with child(code + printing("a") + SLEEP, tmp_path / "log") as pipeline:
        next(pipeline.events())
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
