"""Events as people read them."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from types import TracebackType
from typing import Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.table import Table

from facetrail.events import MatchEvent

#: Events that are shown at once; on a low terminal fewer.
ROWS = 20
AROUND = 8
COLUMNS = ("time", "camera", "event", "similarity", "distance", "after")
CAPTION = "A distance up to the threshold is the person; after: from picture to event."
WORDS = {
    "person_enter": "entered",
    "person_update": "seen better",
    "person_exit": "left",
    "unknown_enter": "unknown person entered",
    "unknown_exit": "unknown person left",
    "camera_online": "camera online",
    "camera_offline": "camera offline",
}
STYLES = {
    "person_enter": "bold green",
    "unknown_enter": "bold yellow",
    "camera_online": "cyan",
    "camera_offline": "bold red",
}


class EventScreen:
    """The newest events as a live table; without a terminal a line each, and then the table."""

    def __init__(self, console: Console) -> None:
        self._console = console
        rows = min(ROWS, max(1, console.height - AROUND)) if console.is_terminal else ROWS
        self._events: deque[MatchEvent] = deque(maxlen=rows)
        self._live = Live(self, console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()
        elif self._events:
            self._console.print(self)

    def show(self, event: MatchEvent) -> MatchEvent:
        """Shows one more; returns it."""
        self._events.append(event)
        if self._console.is_terminal:
            self._live.refresh()
        else:
            self._console.print(line(event), highlight=False, soft_wrap=True)
        return event

    def __rich__(self) -> Table:
        table = Table(caption=CAPTION, caption_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for column in COLUMNS:
            table.add_column(column, justify="right" if column in COLUMNS[3:] else "left")
        for event in self._events:
            table.add_row(*cells(event), style=STYLES.get(event.type, "dim"))
        return table


def cells(event: MatchEvent) -> tuple[str, ...]:
    """One event's words, a string for each of COLUMNS."""
    return (
        f"{datetime.fromisoformat(event.published_at).astimezone():%H:%M:%S}",
        event.camera,
        _words(event),
        "" if event.similarity is None else f"{event.similarity:.2f}",
        _distance(event),
        f"{_delay_s(event):.2f} s" if event.type.endswith(("_enter", "_update")) else "",
    )


def line(event: MatchEvent) -> str:
    """One event as a line of text."""
    time, camera, words, *numbers = cells(event)
    named = zip(COLUMNS[3:], numbers, strict=True)
    details = ", ".join(f"{name} {number}" for name, number in named if number)
    return f"{time}  {camera:8}  {words:26}  {details}".rstrip()


def _words(event: MatchEvent) -> str:
    person = f"{event.person.name} " if event.person else ""
    cause = f": {event.cause}" if event.cause else ""
    return f"{person}{WORDS[event.type]}{cause}"


def _distance(event: MatchEvent) -> str:
    if event.distance is None:
        return ""
    if event.threshold is None:
        return f"{event.distance:.2f}"
    sign = "≤" if event.distance <= event.threshold else ">"
    return f"{event.distance:.2f} {sign} {event.threshold:.2f}"


def _delay_s(event: MatchEvent) -> float:
    captured = datetime.fromisoformat(event.captured_at)
    return (datetime.fromisoformat(event.published_at) - captured).total_seconds()
