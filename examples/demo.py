"""The whole pipeline on two sample cameras: who is enrolled is named, who is not is unknown.

python -m examples.demo --seconds 40
"""

from __future__ import annotations

import argparse
import fcntl
import math
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml
from PIL import Image
from rich.console import Console

from examples.event_table import EventScreen
from examples.pipeline import Pipeline, PipelineFailed
from examples.portrait import eileen_collins
from examples.scene import LENGTH_S, sample_clips
from examples.simulator import NoRtspServer, Simulator
from examples.verdict import Expected, faults
from facetrail.errors import FacetrailError
from facetrail.events import MatchEvent
from facetrail.settings import read_settings

EXPECTED = Expected(
    person="Eileen Collins", person_at="lobby", stranger_at="garage", every_s=LENGTH_S
)
#: Longest that `up` may take to start, the encoder's conversion included, in seconds.
START_S = 300.0
LOG_LINES = 15
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: The embedded default, whatever else this machine has.
CHOICES = {"FACETRAIL_ENCODER": "dlib_resnet", "FACETRAIL_DETECTOR": "centerface"}
NOT_OURS = ("FACETRAIL_REDIS_URL", "FACETRAIL_MODEL_DIR")


class DemoFailed(Exception):
    """One sentence for people."""


def main() -> int:
    given = _arguments()
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler)
    console = Console()
    try:
        with _own_folder(read_settings().data_dir.expanduser() / "demo") as folder:
            _run(folder, given.seconds, console)
    except (DemoFailed, FacetrailError) as error:
        _say(Console(stderr=True), f"{error}", "red")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The pipeline on two sample cameras.")
    parser.add_argument(
        "--seconds", type=int, default=0, help="end after so many; 0: not before Ctrl-C"
    )
    return parser.parse_args()


@contextmanager
def _own_folder(folder: Path) -> Iterator[Path]:
    """The folder, made, and locked against a second demo. Raises DemoFailed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DemoFailed(
            f"{folder} can't be made ({error.strerror}): name another folder in FACETRAIL_DATA_DIR"
        ) from error
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DemoFailed(
                f"another demo runs in {folder}: end it, or set FACETRAIL_DATA_DIR"
            ) from error
        yield folder


def _run(folder: Path, seconds: int, console: Console) -> None:
    """Raises DemoFailed if not all was shown."""
    end = f"It ends after {seconds} seconds." if seconds else "Ctrl-C ends it."
    _say(
        console,
        "The whole pipeline watches two sample cameras. Every 12 seconds Eileen Collins,\n"
        "who is enrolled, passes the lobby, and somebody who is not passes the garage:\n"
        f"one must be named and the other unknown. {end}\n",
    )
    log = folder / "demo.log"
    log.unlink(missing_ok=True)
    with _cameras(sample_clips(folder / "clips"), log, console) as urls:
        command = _up(_enrolment(folder), _camera_file(folder, urls), seconds)
        events = _watch(command, _fresh_environment(folder), log, seconds, console)
    found = faults(events, EXPECTED)
    if found:
        raise DemoFailed(f"The demo failed: {'; '.join(found)}. {log} has more.")
    _say(
        console,
        f"Shown: {EXPECTED.person} was named at {EXPECTED.person_at}, somebody unknown entered at "
        f"{EXPECTED.stranger_at},\nonce each time, and nobody else was named.",
        "green",
    )


@contextmanager
def _cameras(clips: Mapping[str, Path], log: Path, console: Console) -> Iterator[dict[str, str]]:
    """Camera name to URL: RTSP where a server is there, else the files themselves."""
    try:
        with Simulator(clips, log=log) as simulator:
            urls = {name: simulator.url(name) for name in clips}
            _say(console, f"Cameras: {', '.join(urls.values())}")
            yield urls
    except NoRtspServer as missing:
        _say(console, f"Cameras: the clips as files, because {missing}")
        yield {name: str(path.resolve()) for name, path in clips.items()}


def _enrolment(folder: Path) -> Path:
    """A folder with a folder of photos per person."""
    enrol = folder / "enroll"
    shutil.rmtree(enrol, ignore_errors=True)
    person = enrol / EXPECTED.person
    person.mkdir(parents=True)
    Image.fromarray(eileen_collins().picture).save(person / "astronaut.png")
    return enrol


def _camera_file(folder: Path, urls: Mapping[str, str]) -> Path:
    path = folder / "cameras.yml"
    content = {
        "defaults": {"fps": 5, "detect_width": 640, "min_face": 40},
        "cameras": {name: {"url": url} for name, url in urls.items()},
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def _up(enrol: Path, cameras: Path, seconds: int) -> list[str]:
    command = [sys.executable, "-m", "facetrail.cli", "up", "--json"]
    command += ["--enroll", str(enrol), "--cameras", str(cameras)]
    return command + (["--seconds", str(seconds)] if seconds else [])


def _fresh_environment(folder: Path) -> dict[str, str]:
    """Ours, but with empty state and none of the operator's Redis or models."""
    state = folder / "state"
    shutil.rmtree(state, ignore_errors=True)
    kept = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    return kept | CHOICES | {"FACETRAIL_DATA_DIR": str(state)}


def _watch(
    command: list[str], environment: dict[str, str], log: Path, seconds: int, console: Console
) -> list[MatchEvent]:
    """Shows the events as they come; returns them all. Raises DemoFailed."""
    _say(console, f"Starting; the first time takes half a minute longer. Log: {log}")
    longest_s = START_S + seconds if seconds else math.inf
    with Pipeline(command, environment=environment, log=log, longest_s=longest_s) as pipeline:
        try:
            with EventScreen(console) as screen, _when_interrupted(pipeline.stop):
                return [screen.show(event) for event in pipeline.events()]
        except PipelineFailed as error:
            last = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])
            raise DemoFailed(
                f"`facetrail up` failed: {error}. The end of {log}:\n{last}"
            ) from error


@contextmanager
def _when_interrupted(act: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C, or the signals by which others end us, act instead of raising."""
    for number in SIGNALS:
        signal.signal(number, lambda *_: act())
    yield
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler)


def _say(console: Console, words: str, style: str = "") -> None:
    console.print(words, style=style, highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
