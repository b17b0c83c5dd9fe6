"""When a camera is looked at: days and hours, by the host's local time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)|24:00")
_EVERY_DAY = "mon-sun"


def _quoted(value: object) -> object:
    # YAML reads 19:00 as a number, of minutes, but 07:00 as text.
    if isinstance(value, int):
        raise ValueError('write the time in quotes, as in "19:00"')
    return value


Time = Annotated[str, BeforeValidator(_quoted)]


class Hours(BaseModel):
    """Hours of some days. Those that end before they begin go on past midnight.

    days: as in `mon-fri` or `mon, wed, sat-sun`. from, until: as in `07:00`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)

    days: str = _EVERY_DAY
    begin: Time = Field("00:00", alias="from")
    until: Time = "24:00"

    @field_validator("days")
    @classmethod
    def _known_days(cls, days: str) -> str:
        _days(days)
        return days

    @field_validator("begin")
    @classmethod
    def _begins_that_day(cls, time: str) -> str:
        if time == "24:00":
            raise ValueError('expected a time from "00:00" to "23:59"; "24:00" is the next day')
        return time

    @field_validator("begin", "until")
    @classmethod
    def _a_time(cls, time: str) -> str:
        if not _TIME.fullmatch(time):
            raise ValueError('expected a time from "00:00" to "24:00"')
        return time

    def holds(self, weekday: int, minute: int) -> bool:
        """weekday: 0 is Monday. minute: of the day."""
        begin, until = _minute(self.begin), _minute(self.until)
        if begin < until:
            return weekday in self._on and begin <= minute < until
        yesterday = (weekday - 1) % len(DAYS)
        return (weekday in self._on and minute >= begin) or (
            yesterday in self._on and minute < until
        )

    @cached_property
    def _on(self) -> frozenset[int]:
        return _days(self.days)


def is_open(schedule: Sequence[Hours], when: datetime) -> bool:
    """Whether a camera is looked at; without hours it always is. when: local time."""
    minute = when.hour * 60 + when.minute
    return not schedule or any(hours.holds(when.weekday(), minute) for hours in schedule)


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        first, *rest = (word.strip() for word in part.split("-", maxsplit=1))
        last = rest[0] if rest else first
        if first not in DAYS or last not in DAYS:
            raise ValueError(
                f"expected days such as mon-fri or sat, sun; they are {', '.join(DAYS)}"
            )
        begin, end = DAYS.index(first), DAYS.index(last)
        found |= {(begin + i) % len(DAYS) for i in range((end - begin) % len(DAYS) + 1)}
    return frozenset(found)


def _minute(time: str) -> int:
    hours, minutes = time.split(":")
    return int(hours) * 60 + int(minutes)
