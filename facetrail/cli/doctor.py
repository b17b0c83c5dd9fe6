"""`facetrail doctor`: what is wrong with Redis, clock, models, cameras and GPU, and the mend."""

from __future__ import annotations

import io
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import redis
from rich.console import Console
from rich.text import Text

from facetrail import log
from facetrail.cli import doctor_cameras, doctor_clock, doctor_gpu, doctor_models, doctor_redis
from facetrail.cli.finding import Check, Finding, Level, bad, bad_by
from facetrail.cli.json_line import print_json
from facetrail.errors import FacetrailError
from facetrail.settings import Settings

STYLES: dict[Level, str] = {"good": "green", "warning": "bold yellow", "bad": "bold red"}
INDENT = 9


def run(settings: Settings, *, cameras: bool, as_json: bool) -> bool:
    """Prints each finding as it comes; whether nothing is wrong. cameras: whether to open them."""
    # What would be logged meanwhile is among the findings.
    log.configure(level="error", as_json=settings.log_json)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal without a letter of a camera's name is no reason to break off.
        sys.stdout.reconfigure(errors="backslashreplace")
    console = Console(highlight=False, soft_wrap=True)
    levels: Counter[Level] = Counter()
    for finding in _findings(settings, cameras=cameras):
        levels[finding.level] += 1
        if as_json:
            print_json(finding)
        else:
            _print(finding, console)
    if not as_json:
        print(f"{levels['bad']} bad, {levels['warning']} to look at, {levels['good']} good")
    return not levels["bad"]


def _findings(settings: Settings, *, cameras: bool) -> Iterator[Finding]:
    reached = doctor_redis.reached(settings)
    client: redis.Redis | None = None
    if isinstance(reached, Finding):
        yield reached
    else:
        client = reached
        yield from guarded("redis", lambda: doctor_redis.findings(client))
    yield from guarded("clock", lambda: doctor_clock.findings(client, settings.chip_ttl_s))
    yield from guarded("models", lambda: doctor_models.findings(client, settings))
    if cameras:
        yield from guarded("cameras", lambda: doctor_cameras.findings(client, settings))
    yield from guarded("gpu", lambda: doctor_gpu.findings(settings))
    if client is not None:
        client.close()


def guarded(check: Check, findings: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The findings of a check, and why there are no more of them if it breaks off."""
    try:
        yield from findings()
    except redis.RedisError as error:
        yield bad(check, f"Redis refused, or fell silent ({error})", "see to Redis, and look again")
    except FacetrailError as error:
        yield bad_by(check, error, "see to that, and look again")
    except Exception as error:  # of whatever kind: the other checks are made all the same
        # Without its words, which may hold an address with its password.
        says = f"this could not be looked at to its end ({type(error).__name__}, {_place(error)})"
        yield bad(check, says, "report it as a fault of Facetrail")


def _place(error: Exception) -> str:
    """Where in the program it was raised."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name} line {last.lineno}"


def _print(finding: Finding, console: Console) -> None:
    line = Text(f"{finding.level:<{INDENT}}", style=STYLES[finding.level])
    line.append(f"{finding.check}: ", style="bold")
    line.append(finding.says, style="default")
    console.print(line)
    if finding.mend is not None:
        console.print(Text(" " * INDENT + finding.mend))
