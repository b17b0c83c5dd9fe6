"""The command as a user runs it: a process, its words and its status."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import redis
import structlog

from facetrail.children import is_running
from facetrail.store import Keys
from facetrail.wire import Encoder
from index.gallery import Gallery
from ingest.faces.face import Picture
from tests.cli.forks import Forks

COMMAND = (sys.executable, "-m", "facetrail.cli")

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(autouse=True)
def logger_of_its_own() -> Iterator[None]:
    """A command run in this process leaves a logger whose stderr is closed after its test."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def environment(cache_dir: Path, tmp_path: Path) -> dict[str, str]:
    """Of every command; no Redis is configured in it."""
    own = {
        "FACETRAIL_CACHE_DIR": str(cache_dir),
        "FACETRAIL_DATA_DIR": str(tmp_path / "data"),
        "FACETRAIL_ENCODER": "dlib_resnet",
        "FACETRAIL_THREADS": "1",
        "FACETRAIL_LOG_LEVEL": "warning",
        "TMPDIR": str(tmp_path),
    }
    ours = ("FACETRAIL_REDIS_URL", "FACETRAIL_MODEL_DIR")
    return {name: value for name, value in os.environ.items() if name not in ours} | own


@pytest.fixture
def gallery(client: redis.Redis, keys: Keys) -> Gallery:
    return Gallery(client, keys)


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    found = Forks(tmp_path_factory.mktemp("forks"))
    yield found
    found.close()


@pytest.fixture
def facetrail(
    environment: dict[str, str], client: redis.Redis, redis_url: str, encoder: Encoder, forks: Forks
) -> Run:
    """`facetrail("people", "list", VARIABLE="value")` runs a command on an empty Redis.

    encoder: it is converted by now, which would take long and be told on stderr.
    """

    def run(*arguments: object, **variables: str) -> Done:
        own = environment | {"FACETRAIL_REDIS_URL": redis_url} | variables
        return forks.run(list(map(str, arguments)), own, timeout_s=60)

    return run


@pytest.fixture
def start(environment: dict[str, str], encoder: Encoder, tmp_path: Path) -> Iterator[Start]:
    """`start("up", VARIABLE="value")` runs a command until the test's end; stderr in a file."""
    running: list[subprocess.Popen[str]] = []

    def begin(*arguments: object, **variables: str) -> subprocess.Popen[str]:
        with (tmp_path / "stderr").open("a") as stderr:
            process = subprocess.Popen(
                [*COMMAND, *map(str, arguments)],
                env=environment | variables,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,
            )
        running.append(process)
        return process

    yield begin
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory, astronaut: Picture, hopper: Picture) -> Path:
    """A folder of photos: two good ones, and five that can't be taken."""
    folder = tmp_path_factory.mktemp("photos")
    pictures = {
        "eileen.png": astronaut,
        "grace.jpg": hopper,
        "nobody.jpg": np.tile(astronaut[400:], (3, 1, 1)),
        "three.jpg": np.hstack([astronaut[:300, 100:350]] * 3),
        "small.png": cv2.resize(astronaut, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA),
    }
    for name, picture in pictures.items():
        cv2.imwrite(str(folder / name), np.ascontiguousarray(picture[..., ::-1]))
    (folder / "text.jpg").write_text("a text file named .jpg")
    (folder / "cut.jpg").write_bytes((folder / "grace.jpg").read_bytes()[:5000])
    return folder


@pytest.fixture(scope="session")
def people(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder per person, of two people."""
    folder = tmp_path_factory.mktemp("people")
    for name, photo in {"Eileen Collins": "eileen.png", "Grace Hopper": "grace.jpg"}.items():
        (folder / name).mkdir()
        (folder / name / photo).write_bytes((photos / photo).read_bytes())
    return folder


def family(pid: int) -> set[int]:
    """The process ids of all descendants."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        parents[int(stat.parent.name)] = int(after_name[1])
    found, new = set(), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new}
        found |= new
    return found


def named(pids: set[int]) -> dict[str, int]:
    """The process id of each that has got its name by now."""
    found = {}
    for pid in pids:
        try:
            line = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
        except OSError:
            continue
        name = next((name for name, pattern in NAMES.items() if re.search(pattern, line)), None)
        if name is not None:
            found[name] = pid
    return found


NAMES = {
    "redis": r"redis-server ",
    "worker": r"-m workers$",
    "ingest": r"-m ingest$",
    "camera": r"-m ingest\.watch$",
    "enroll": r"-m facetrail\.cli enroll ",
}


def living(pids: set[int]) -> set[int]:
    """Those that still run; a zombie does not."""
    return {pid for pid in pids if is_running(pid)}


def ended_within(seconds: float, pids: set[int]) -> bool:
    deadline = time.monotonic() + seconds
    while living(pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not living(pids)
