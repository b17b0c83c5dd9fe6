"""What was seen and said of people is erased."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import redis

from facetrail.sightings import SIGHTINGS_LUA, names
from facetrail.store import Keys, patient

#: Nothing is said of somebody for so long after, by workers that knew them yet; in seconds.
REMEMBERED_S = 86_400

_ERASE = SIGHTINGS_LUA + "".join(
    Path(__file__).with_name(name).read_text() for name in ("rewrite.lua", "erase.lua")
)


class Erased(msgspec.Struct, frozen=True):
    """How many events and sightings were erased."""

    events: int
    sightings: int


def erase(
    client: redis.Redis, keys: Keys, people: Sequence[str], sightings: Sequence[str] = ()
) -> Erased:
    """Erases events, sightings and pictures of people, and what open votes know of them.

    people: their ids. sightings: names of others', which show them. All of it in one step, which
    takes about a second for 100 000 events: a stream forgets an entry's bytes only when it is
    written anew.
    """
    call = {
        "keys": names(keys),
        "people": list(people),
        "sightings": list(sightings),
        "vote": keys.vote(""),
        "remember": REMEMBERED_S,
    }
    with patient(client) as long:
        said, shown = long.register_script(_ERASE)(
            keys=[keys.events, keys.events_aside, keys.open_tracks, keys.closing_tracks],
            args=[msgspec.msgpack.encode(call)],
        )
    return Erased(int(said), int(shown))
