"""The hours in which a camera is looked at."""

from __future__ import annotations

from datetime import datetime

import pytest
from pydantic import ValidationError

from facetrail.schedule import Hours, is_open

#: A Monday.
MONDAY = datetime(2026, 11, 23)


def hours(days: str = "mon-sun", begin: str = "00:00", until: str = "24:00") -> Hours:
    return Hours.model_validate({"days": days, "from": begin, "until": until})


def at(day: int, time: str) -> datetime:
    """day: 0 is Monday."""
    hour, minute = map(int, time.split(":"))
    return MONDAY.replace(day=MONDAY.day + day, hour=hour, minute=minute)


def test_without_hours_it_is_always_looked_at() -> None:
    assert is_open([], MONDAY)


@pytest.mark.parametrize(
    ("day", "time", "expected"),
    [
        (0, "06:59", False),
        (0, "07:00", True),
        (4, "18:59", True),
        (4, "19:00", False),
        (5, "12:00", False),
    ],
)
def test_hours_of_working_days(day: int, time: str, expected: bool) -> None:
    assert is_open([hours("mon-fri", "07:00", "19:00")], at(day, time)) is expected


@pytest.mark.parametrize(
    ("day", "time", "expected"),
    [
        (4, "21:59", False),
        (4, "22:00", True),
        (5, "05:59", True),  # Friday's night
        (5, "06:00", False),
        (5, "22:00", True),
        (6, "05:59", True),  # Saturday's night
        (6, "22:00", False),
        (0, "05:59", False),
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_begins(day: int, time: str, expected: bool) -> None:
    assert is_open([hours("fri-sat", "22:00", "06:00")], at(day, time)) is expected


def test_a_night_from_sunday_ends_on_monday() -> None:
    assert is_open([hours("sun", "22:00", "06:00")], at(0, "05:00"))


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ("mon", {0}),
        ("mon-sun", set(range(7))),
        ("tue, thu", {1, 3}),
        ("sat-mon", {5, 6, 0}),
        ("Mon-Wed,SUN", {0, 1, 2, 6}),
    ],
)
def test_days_are_named_alone_or_from_to(days: str, expected: set[int]) -> None:
    assert {day for day in range(7) if is_open([hours(days)], at(day, "12:00"))} == expected


def test_several_hours_add_up() -> None:
    schedule = [hours("mon", "08:00", "12:00"), hours("mon", "13:00", "17:00")]
    found = [is_open(schedule, at(0, time)) for time in ("09:00", "12:30", "14:00")]
    assert found == [True, False, True]


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": "mun"},
        {"days": "mon-"},
        {"days": ""},
        {"from": "7"},
        {"from": "24:01"},
        {"until": "12:60"},
        {"until": 1140},  # what YAML makes of 19:00
        {"at": "12:00"},
    ],
)
def test_what_is_no_hour_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Hours.model_validate(wrong)


def test_hours_survive_json() -> None:
    own = hours("mon-fri", "22:00", "06:00")
    assert Hours.model_validate_json(own.model_dump_json()) == own
