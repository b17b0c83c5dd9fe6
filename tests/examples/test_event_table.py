from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from examples.event_table import ROWS, EventScreen, line
from facetrail.events import MatchEvent

Event = Callable[..., MatchEvent]


def test_a_line_says_who_where_how_sure_and_how_late(event: Event) -> None:
    entered = event(
        "person_enter", "lobby", name="Ada", similarity=0.97, distance=0.24, threshold=0.37
    )
    words = line(entered)
    assert "lobby     Ada entered" in words
    assert words.endswith("similarity 0.97, distance 0.24 ≤ 0.37, after 0.25 s")


def test_a_line_about_a_stranger_says_that_nobody_is_near_enough(event: Event) -> None:
    words = line(event("unknown_enter", "garage", similarity=0.8, distance=0.6, threshold=0.37))
    assert "unknown person entered" in words
    assert "0.60 > 0.37" in words


def test_a_line_about_a_camera_ends_with_the_cause(event: Event) -> None:
    assert line(event("camera_offline", "lobby", cause="no answer")).endswith(
        "camera offline: no answer"
    )


@pytest.mark.parametrize("terminal", [False, True])
def test_the_screen_ends_with_the_newest_events(event: Event, terminal: bool) -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=80, height=50)
    with EventScreen(console) as screen:
        for number in range(ROWS + 1):
            screen.show(event("person_enter", f"camera{number}", name="Ada"))
    end = written.getvalue().rpartition("similarity")[2]  # under the last table's head
    assert f"camera{ROWS}" in end
    assert "camera1 " in end
    assert "camera0 " not in end
