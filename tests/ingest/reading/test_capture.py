"""Frames are dated by the camera's clock where that can be right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ingest.reading.capture import MOST_OFF_S, CaptureClock

NOW = 1_800_000_000_000_000_000
SECOND = 1_000_000_000


def test_the_cameras_clock_counts_and_without_one_the_arrival() -> None:
    clock = CaptureClock("lobby")
    assert clock.at(None, NOW) == NOW
    assert clock.source == "arrival"
    assert clock.at(NOW + SECOND // 2, NOW + SECOND) == NOW + SECOND // 2
    assert clock.source == "rtcp"


@pytest.mark.parametrize(
    ("off_s", "words"), [(3600.0, "3600 s ahead"), (-7.0, "7 s behind"), (-1.6e9, "s behind")]
)
def test_a_clock_that_is_wrong_is_not_believed_and_that_is_said_once(
    off_s: float, words: str
) -> None:
    clock = CaptureClock("lobby")
    with capture_logs() as lines:
        for i in range(5):
            arrived = NOW + i * SECOND
            assert clock.at(arrived + round(off_s * SECOND), arrived) == arrived
    assert clock.source == "arrival"
    (line,) = lines
    assert words in line["event"] and "not believed" in line["event"]
    assert (line["camera"], line["clock"], line["log_level"]) == ("lobby", "arrival", "warning")


def test_one_that_wavers_about_the_limit_is_said_once() -> None:
    clock = CaptureClock("lobby")
    with capture_logs() as lines:
        for i in range(20):
            off = MOST_OFF_S + (0.2 if i % 2 else -0.2)
            clock.at(NOW + i * SECOND - round(off * SECOND), NOW + i * SECOND)
    assert [line["log_level"] for line in lines] == ["info", "warning"]


def test_one_that_was_set_right_is_believed_again() -> None:
    clock = CaptureClock("lobby")
    clock.at(NOW - 100 * SECOND, NOW)
    assert clock.at(NOW + SECOND, NOW + SECOND) == NOW + SECOND
    assert clock.source == "rtcp"


def test_no_frame_comes_from_the_future() -> None:
    assert CaptureClock("lobby").at(NOW + SECOND, NOW) == NOW


def test_a_camera_whose_clock_is_set_back_a_little_keeps_its_order() -> None:
    clock = CaptureClock("lobby")
    first = clock.at(NOW, NOW)
    second = clock.at(NOW - SECOND, NOW + SECOND // 5)
    assert first < second <= NOW + SECOND // 5


def test_a_host_whose_clock_is_set_back_goes_on_with_its_new_time() -> None:
    clock = CaptureClock("lobby")
    clock.at(None, NOW)
    assert clock.at(None, NOW - 3600 * SECOND) == NOW - 3600 * SECOND


@given(st.lists(st.tuples(st.none() | st.integers(-5, 5), st.integers(0, 3)), max_size=50))
def test_time_grows_while_the_hosts_does(steps: list[tuple[int | None, int]]) -> None:
    clock, now, found = CaptureClock("lobby"), NOW, []
    for off_s, pause_s in steps:
        now += 1 + pause_s * SECOND
        found.append(clock.at(None if off_s is None else now + off_s * SECOND, now))
        assert found[-1] <= now
    assert found == sorted(set(found))
