"""What `facetrail doctor` says of one thing that it looked at."""

from __future__ import annotations

from typing import Literal

import msgspec

Check = Literal["redis", "clock", "models", "cameras", "gpu"]
Level = Literal["good", "warning", "bad"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `doctor --json`. says: a sentence. mend: what to do, None of what is good."""

    check: Check
    level: Level
    says: str
    mend: str | None


def good(check: Check, says: str) -> Finding:
    return Finding(check=check, level="good", says=_line(says), mend=None)


def warning(check: Check, says: str, mend: str) -> Finding:
    """Of what works, but not as it might, and of what could not be looked at."""
    return Finding(check=check, level="warning", says=_line(says), mend=_line(mend))


def bad(check: Check, says: str, mend: str) -> Finding:
    return Finding(check=check, level="bad", says=_line(says), mend=_line(mend))


def bad_by(check: Check, sentence: object, otherwise: str) -> Finding:
    """Of an error, or of its sentence, whose mend stands behind its last colon.

    otherwise: the mend where there is no colon.
    """
    says, colon, mend = str(sentence).rpartition(": ")
    return bad(check, says, mend) if colon else bad(check, mend, otherwise)


def _line(text: str) -> str:
    """In one line, of what can be printed: a file's name may be neither."""
    return " ".join(text.encode(errors="backslashreplace").decode().split())
