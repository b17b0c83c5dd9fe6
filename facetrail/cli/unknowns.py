"""`facetrail unknowns list`: who was seen and has no name."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import msgspec
import redis
from rich.console import Console
from rich.table import Table

from facetrail.cli.contact_sheet import MOST_PICTURES, MOST_ROWS, Row, contact_sheet
from facetrail.cli.json_line import print_json
from facetrail.cli.picture_file import check_target, save
from facetrail.cli.since import shown, shown_span, since_time
from facetrail.settings import Settings
from facetrail.sightings import Sighting, every, pictures
from facetrail.store import Keys, answered, checked, connect


class Unknown(msgspec.Struct, frozen=True):
    """One line of `unknowns list --json`. snapshots: the newest first."""

    id: str
    sightings: int
    cameras: list[str]
    first_at: str
    last_at: str
    snapshots: list[str]


def show_all(settings: Settings, *, since: str | None, save_to: Path | None, as_json: bool) -> None:
    """Prints each stranger, who was seen last comes last. Raises BadSettings, RedisAway."""
    earliest = since_time(since)
    if save_to is not None:
        check_target(save_to)
    client, keys = checked(connect(settings.redis_url)), Keys(settings.key_prefix)
    with answered(client):
        seen = _by_stranger((kept.sighting for kept in every(client, keys)), earliest)
        if save_to is not None:
            save(contact_sheet(_rows(client, keys, seen)), save_to)
    if as_json:
        for sightings in seen:
            print_json(_unknown(sightings))
        return
    table = Table("id", "seen", "cameras", "first", "last", title=f"{len(seen)} strangers")
    for one in map(_unknown, seen):
        times = shown(one.first_at), shown(one.last_at)
        table.add_row(one.id, str(one.sightings), ", ".join(one.cameras), *times)
    Console().print(table)


def _by_stranger(sightings: Iterable[Sighting], earliest: datetime | None) -> list[list[Sighting]]:
    """The sightings of each stranger seen since, the newest first; who was seen last comes last."""
    found: dict[str, list[Sighting]] = {}
    for sighting in sightings:
        is_late = earliest is None or datetime.fromisoformat(sighting.last_at) >= earliest
        if sighting.stranger is not None and is_late:
            found.setdefault(sighting.stranger, []).append(sighting)
    for own in found.values():
        own.sort(key=lambda sighting: sighting.last_at, reverse=True)
    return sorted(found.values(), key=lambda own: own[0].last_at)


def _unknown(sightings: list[Sighting]) -> Unknown:
    return Unknown(
        id=str(sightings[0].stranger),
        sightings=len(sightings),
        cameras=sorted({sighting.camera for sighting in sightings}),
        first_at=min(sighting.first_at for sighting in sightings),
        last_at=sightings[0].last_at,
        snapshots=[sighting.snapshot for sighting in sightings if sighting.snapshot],
    )


def _rows(client: redis.Redis, keys: Keys, seen: list[list[Sighting]]) -> list[Row]:
    """Of those who were seen last, as many as a picture holds."""
    if len(seen) > MOST_ROWS:
        print(f"the picture shows the last {MOST_ROWS} of {len(seen)}", file=sys.stderr)
    rows = []
    for sightings in seen[-MOST_ROWS:]:
        best = sorted(sightings, key=lambda sighting: sighting.quality.score, reverse=True)
        found = pictures(client, keys, best[:MOST_PICTURES])
        one = _unknown(sightings)
        times = shown_span(one.first_at, one.last_at)
        words = f"seen {one.sightings} times, {', '.join(one.cameras)}; {times}"
        rows.append(Row(one.id, words, [p.context or p.chip for p in found if p is not None]))
    return rows
