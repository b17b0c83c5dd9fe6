"""Events as people read them."""

from __future__ import annotations

import sys
from datetime import datetime

from rich.console import Console
from rich.text import Text

from facetrail.events import MatchEvent

_STYLES = {
    "person_enter": "bold green",
    "person_exit": "green",
    "person_update": "dim green",
    "unknown_enter": "bold yellow",
    "unknown_exit": "yellow",
    "camera_offline": "bold red",
    "camera_online": "blue",
}


class EventPrinter:
    """Prints each event as a line on stdout: for people, or as JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._console = Console(highlight=False, soft_wrap=True)

    def show(self, event: MatchEvent) -> None:
        if self._as_json:
            sys.stdout.write(event.json() + "\n")
            sys.stdout.flush()
        else:
            self._console.print(line_of(event))


def line_of(event: MatchEvent) -> Text:
    """Time, camera, what, who, and how sure."""
    at = datetime.fromisoformat(event.captured_at).astimezone()
    line = Text(f"{at:%H:%M:%S}  {event.camera:<16}")
    line.append(f"{event.type:<15}", style=_STYLES[event.type])
    if event.person is not None:
        line.append(f"{event.person.name:<24}", style="bold")
    elif event.track is not None:
        line.append(f"{event.unknown or 'somebody unknown':<24}")
    if event.distance is not None and event.threshold is not None:
        sign = "≤" if event.distance <= event.threshold else ">"
        line.append(f"distance {event.distance:.2f} {sign} {event.threshold:.2f}", style="dim")
    if event.cause:
        line.append(event.cause, style="red")
    return line
