"""`facetrail watch`: live events."""

from __future__ import annotations

from facetrail.cli.show import EventPrinter
from facetrail.events import subscribe
from facetrail.settings import Settings


def run(
    settings: Settings, *, since: str | None, cameras: frozenset[str] | None, as_json: bool
) -> None:
    """Prints events until Ctrl-C. Raises RedisAway."""
    printer = EventPrinter(as_json=as_json)
    try:
        for event in subscribe(settings.redis_url, since=since, cameras=cameras):
            printer.show(event)
    except KeyboardInterrupt:
        return
