"""The time that `--since` names."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from facetrail.errors import BadSettings

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DAY, _CLOCK = "%Y-%m-%d", "%H:%M:%S"


def since_time(text: str | None) -> datetime | None:
    """In UTC; None for None, which is all that is kept.

    text: 90s, 30m, 24h or 7d before now, or an ISO time, local if it names no zone. Raises
    BadSettings.
    """
    if text is None:
        return None
    try:
        if found := re.fullmatch(r"(\d{1,9})([smhd])", text):
            return datetime.now(UTC) - timedelta(**{_UNITS[found[2]]: int(found[1])})
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadSettings(
            f"--since {text[:40]!r} is no time: give 90s, 30m, 24h, 7d, or an ISO time such as "
            "2027-01-15T08:00"
        ) from error


def shown(stamp: str) -> str:
    """An ISO time as people here read it."""
    return f"{datetime.fromisoformat(stamp).astimezone():{_DAY} {_CLOCK}}"


def shown_span(first: str, last: str) -> str:
    """From one ISO time to another, a day said once."""
    begin, end = (datetime.fromisoformat(stamp).astimezone() for stamp in (first, last))
    until = f"{end:{_CLOCK}}" if begin.date() == end.date() else f"{end:{_DAY} {_CLOCK}}"
    return f"{begin:{_DAY} {_CLOCK}} – {until}"
