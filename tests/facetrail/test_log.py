"""The logger: on stderr, in lines, without the values that a password may be among."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import logging, sys, structlog
from facetrail import log
log.configure(level=sys.argv[1], as_json=sys.argv[2] == "json")
logger = structlog.get_logger("ingest.camera")
logger.info("camera taken", camera="lobby")
logging.getLogger("celery").info("chatter")
logging.getLogger("celery").warning("broker is slow")
def fail(password):
    raise ValueError("no such thing")
try:
    fail("hunter" + str(1 + 1))
except ValueError:
    logger.exception("reader failed", camera="lobby")
"""


def told(level: str, form: str) -> str:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, level, form]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "hunter2" not in done.stderr
    return done.stderr


def test_people_read_lines_and_a_plain_traceback() -> None:
    text = told("info", "text")
    assert "camera taken" in text and "camera=lobby" in text
    assert "WARNING broker is slow" in text
    assert "chatter" not in text
    assert "ValueError: no such thing" in text


def test_programs_read_one_object_a_line() -> None:
    lines = [line for line in told("info", "json").splitlines() if line.startswith("{")]
    taken, failed = map(json.loads, lines)
    assert (taken["event"], taken["camera"], taken["level"]) == ("camera taken", "lobby", "info")
    assert taken["timestamp"].endswith("Z")
    assert "ValueError: no such thing" in failed["exception"]


def test_what_is_less_than_the_level_is_not_said() -> None:
    text = told("error", "text")
    assert "camera taken" not in text
    assert "broker is slow" not in text
    assert "reader failed" in text
