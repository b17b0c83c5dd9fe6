"""`facetrail up`: all roles of one machine, which begin and end together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from ingest.faces.face import Picture
from tests.cli.conftest import Run, Start, ended_within, family, named

READY_S = 60.0
ALL = {"redis", "worker", "ingest", "camera"}
WaitFor = Callable[..., None]


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory, astronaut: Picture) -> Path:
    """Two seconds of a portrait that sways."""
    path = tmp_path_factory.mktemp("clip") / "portrait.mp4"
    with av.open(path, "w") as file:
        stream = file.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 320, "yuv420p"
        for i in range(20):
            x = 70 + abs(10 - i)
            part = np.ascontiguousarray(astronaut[:320, x : x + 320])
            file.mux(stream.encode(av.VideoFrame.from_ndarray(part, format="rgb24")))
        file.mux(stream.encode(None))
    return path


@pytest.fixture
def cameras(clip: Path, tmp_path: Path) -> Path:
    path = tmp_path / "cameras.yml"
    path.write_text(f"cameras:\n  lobby:\n    url: {clip}\n")
    return path


@pytest.fixture
def up(start: Start, cameras: Path, wait_for: WaitFor) -> Callable[..., subprocess.Popen[str]]:
    """`up()`: one that runs with all its processes."""

    def begin() -> subprocess.Popen[str]:
        process = start("up", "--json", "--cameras", cameras)

        def all_run() -> bool:
            return process.poll() is not None or named(family(process.pid)).keys() == ALL

        wait_for(all_run, timeout_s=READY_S)
        return process

    return begin


def left(tmp_path: Path) -> list[str]:
    """What lies where the embedded Redis has its socket."""
    return [path.name for path in tmp_path.glob("facetrail-*")]


def said(tmp_path: Path) -> str:
    return (tmp_path / "stderr").read_text()


def test_it_enrols_shows_events_as_json_and_stops_by_itself(
    start: Start, cameras: Path, people: Path, tmp_path: Path
) -> None:
    process = start(
        "up", "--json", "--cameras", cameras, "--enroll", people, "--seconds", "5",
        FACETRAIL_LOG_LEVEL="info",
    )  # fmt: skip
    pids: set[int] = set()
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        pids |= family(process.pid)
        lines.append(json.loads(line))
    assert process.wait(10) == 0, said(tmp_path)

    # I expect events and nothing else on stdout, of which one names her, and says that she left
    kinds = [(event["type"], (event["person"] or {}).get("name")) for event in lines]
    assert kinds[0] == ("camera_online", None)
    assert ("person_enter", "Eileen Collins") in kinds
    assert ("person_exit", "Eileen Collins") in kinds
    assert "facetrail is up" in said(tmp_path)

    # and that nothing is left
    assert len(pids) >= 4
    assert ended_within(1, pids)
    assert left(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_every_child(
    number: signal.Signals,
    up: Callable[[], subprocess.Popen[str]],
    facetrail: Run,
    cameras: Path,
    tmp_path: Path,
) -> None:
    # Given one that runs, and does not let a second one use its folder
    process = up()
    pids = family(process.pid)
    if number == signal.SIGINT:
        second = facetrail("up", "--cameras", cameras, FACETRAIL_REDIS_URL="")
        assert second.returncode == 1
        its_redis = named(pids)["redis"]
        assert second.stderr == (
            "facetrail: another `facetrail up` uses this data folder: end it "
            f"(its Redis is process {its_redis}), or name another in FACETRAIL_DATA_DIR\n"
        )

    # If it gets the signal
    process.send_signal(number)

    # I expect it to end well, and all of its processes with it
    assert process.wait(20) == 0, said(tmp_path)
    assert "Traceback" not in said(tmp_path)
    assert ended_within(1, pids)
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("victim", "sentence"),
    [
        pytest.param(
            "worker",
            "facetrail: the worker ended by itself with status -9, so everything was",
            marks=pytest.mark.slow,
        ),
        ("redis", "facetrail: the embedded Redis ended by itself, so everything was ended"),
    ],
)
def test_a_role_that_dies_ends_all(
    victim: str, sentence: str, up: Callable[[], subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = up()
    pids = family(process.pid)
    os.kill(named(pids)[victim], signal.SIGKILL)
    assert process.wait(30) == 1
    assert sentence in said(tmp_path).splitlines()[-1]
    assert "Traceback" not in said(tmp_path)
    assert ended_within(1, pids)
    assert left(tmp_path) == []


def test_one_that_is_killed_leaves_no_child(up: Callable[[], subprocess.Popen[str]]) -> None:
    process = up()
    pids = family(process.pid)
    process.kill()
    process.wait(5)
    assert ended_within(15, pids)


def test_asked_to_stop_while_it_enrols_it_does(
    start: Start, cameras: Path, people: Path, tmp_path: Path, wait_for: WaitFor
) -> None:
    process = start("up", "--cameras", cameras, "--enroll", people)
    wait_for(lambda: "enroll" in named(family(process.pid)), timeout_s=READY_S)
    pids = family(process.pid)
    process.terminate()
    assert process.wait(15) == 0, said(tmp_path)
    assert ended_within(1, pids)


@pytest.mark.parametrize(
    ("file", "arguments", "sentence"),
    [
        (
            "cameras:\n  a:\n    urll: x",
            [],
            "cameras.yml line 3: cameras.a.urll is not a known key",
        ),
        (None, [], "cameras.yml can't be read (No such file or directory)"),
        ("cameras: {a: {url: webcam:0}}", ["--enroll", "/nowhere"], "/nowhere is not a folder"),
        ("cameras: {a: {url: webcam:0}}", ["--enroll", "."], ". has no folder with photos"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(
    file: str | None, arguments: list[str], sentence: str, facetrail: Run, tmp_path: Path
) -> None:
    cameras = tmp_path / "cameras.yml"
    if file is not None:
        cameras.write_text(file)
    (tmp_path / "empty").mkdir()
    arguments = [str(tmp_path / "empty") if word == "." else word for word in arguments]
    done = facetrail("up", "--cameras", cameras, *arguments, FACETRAIL_REDIS_URL="")
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence.removeprefix(".") in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_a_data_folder_that_is_none_is_one_sentence(
    facetrail: Run, cameras: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("a file")
    done = facetrail("up", "--cameras", cameras, FACETRAIL_REDIS_URL="")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"facetrail: {tmp_path / 'data'} can't be used (")
