"""`--since`: a while, or a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from facetrail.cli.since import shown_span, since_time
from facetrail.errors import BadSettings


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("24h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
        ("0s", timedelta()),
    ],
)
def test_a_while_is_before_now(text: str, ago: timedelta) -> None:
    before = datetime.now(UTC)
    found = since_time(text)
    assert found is not None and before - ago <= found <= datetime.now(UTC) - ago


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2027-01-15T08:00:00Z", datetime(2027, 1, 15, 8, tzinfo=UTC)),
        ("2027-01-15T08:00+02:00", datetime(2027, 1, 15, 6, tzinfo=UTC)),
        ("2027-01-15 08:00", datetime(2027, 1, 15, 8).astimezone(UTC)),
        ("2027-01-15", datetime(2027, 1, 15).astimezone(UTC)),
    ],
)
def test_a_time_is_that_time_and_local_without_a_zone(text: str, time: datetime) -> None:
    assert since_time(text) == time


def test_nothing_is_all() -> None:
    assert since_time(None) is None


@pytest.mark.parametrize(
    "text", ["", "soon", "24", "-3h", "1.5h", "3w", "24 h", "9999999d", "2027-13-01", "x" * 999]
)
def test_anything_else_is_one_sentence(text: str) -> None:
    with pytest.raises(BadSettings, match="is no time: give 90s, 30m, 24h, 7d") as caught:
        since_time(text)
    assert len(str(caught.value)) < 200


def test_a_day_is_said_once() -> None:
    one, other = "2027-01-15T12:00:00.500000Z", "2027-01-15T12:00:09.100000Z"
    assert shown_span(one, other).count("2027-01-15") == 1
    assert shown_span(one, "2027-01-17T12:00:00Z").count("2027-01-") == 2
