"""`facetrail trail`: the way somebody went, camera by camera."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from facetrail.cli.json_line import json_line
from facetrail.cli.people import open_gallery
from facetrail.cli.since import shown, since_time
from facetrail.errors import NoSuchPerson
from facetrail.settings import Settings
from facetrail.sightings import is_stranger, of, turned_out
from facetrail.store import answered
from facetrail.trail import Visit, events_of, visits
from index.gallery import Gallery


def run(settings: Settings, who: str, *, since: str | None, as_json: bool) -> None:
    """Prints visits in order of time. who: a name, or a stranger's id.

    Raises BadSettings, NoSuchPerson, RedisAway.
    """
    earliest = since_time(since)
    gallery = open_gallery(settings)
    with answered(gallery.client):
        owner = _owner(gallery, who)
        client, keys = gallery.client, gallery.keys
        seen = [kept.sighting for kept in of(client, keys, owner)]
        found = visits(events_of(client, keys, owner), seen)
    recent = [visit for visit in found if earliest is None or _newest(visit) >= earliest]
    for visit in recent:
        sys.stdout.write((json_line(visit) if as_json else _line(visit)) + "\n")
    if not recent:
        print(f"{who} was not seen", file=sys.stderr)


def _owner(gallery: Gallery, who: str) -> str:
    """The id of a person or a stranger."""
    if not is_stranger(who):
        return gallery.named(who).id
    client, keys = gallery.client, gallery.keys
    if (owner := turned_out(client, keys, who)) != who:
        return owner
    if not client.exists(keys.seen(who), keys.sightings_of(who)):
        raise NoSuchPerson(f"there is no stranger {who!r}: `facetrail unknowns list` shows who is")
    return who


def _newest(visit: Visit) -> datetime:
    """When they were last there: now, where they have not left."""
    return datetime.fromisoformat(visit.left_at) if visit.left_at else datetime.now(UTC)


def _line(visit: Visit) -> str:
    entered = shown(visit.entered_at) if visit.entered_at else "before"
    zones = f" ({', '.join(visit.zones)})" if visit.zones else ""
    line = f"{entered:<19}  {visit.camera}{zones}"
    if visit.left_at is None:
        line += ", has not left"
    else:
        line += f", left {shown(visit.left_at)}"
    if visit.seconds is not None:
        line += f" after {visit.seconds:.1f} s"
    return line + (f", as {visit.unknown}" if visit.unknown else "")
