"""`facetrail rejected`: messages that workers could not use."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec
import redis
from rich.console import Console
from rich.table import Table

from facetrail.broker import celery_app
from facetrail.cli.json_line import print_json
from facetrail.errors import NoSuchMessage
from facetrail.settings import Settings
from facetrail.store import Keys, answered, checked, connect
from workers.delivery import rejected as aside
from workers.delivery.rejected import Rejected


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `rejected list --json`. size: bytes. whole: whether it can be tried again."""

    id: str
    at: str
    reason: str
    kind: str
    size: int
    whole: bool


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What `rejected retry --json` and `purge --json` print: how many, and which were left."""

    done: int
    left: list[str]


def show_all(settings: Settings, *, as_json: bool) -> None:
    """Raises RedisAway."""
    client, keys = _opened(settings)
    with answered(client):
        found = [_shown(one) for one in aside.rejected(client, keys)]
    if as_json:
        for one in found:
            print_json(one)
        return
    table = Table("id", "at", "bytes", "reason", title=f"{len(found)} messages set aside")
    for one in found:
        cut = "" if one.whole else " (cut)"
        table.add_row(one.id, one.at[:19].replace("T", " "), f"{one.size}{cut}", one.reason)
    Console().print(table)


def retry(settings: Settings, ids: Sequence[str], *, as_json: bool) -> None:
    """ids: none for all. Raises NoSuchMessage, RedisAway."""
    client, keys = _opened(settings)
    app = celery_app(settings.redis_url or "", key_prefix=settings.key_prefix)
    done, left = 0, []
    with answered(client):
        for one in _chosen(client, keys, ids):
            if one.is_whole:
                aside.retry(client, keys, app, one)
                done += 1
            else:
                left.append(one.id)
    if left:
        print(f"cut when it was set aside, left there: {', '.join(left)}", file=sys.stderr)
    _tell(Outcome(done=done, left=left), "are in the queue again", as_json=as_json)


def purge(settings: Settings, ids: Sequence[str], *, as_json: bool) -> None:
    """ids: none for all. Raises NoSuchMessage, RedisAway."""
    client, keys = _opened(settings)
    with answered(client):
        done = aside.purge(client, keys, [one.id for one in _chosen(client, keys, ids)])
    _tell(Outcome(done=done, left=[]), "are gone", as_json=as_json)


def _opened(settings: Settings) -> tuple[redis.Redis, Keys]:
    return checked(connect(settings.redis_url)), Keys(settings.key_prefix)


def _chosen(client: redis.Redis, keys: Keys, ids: Sequence[str]) -> list[Rejected]:
    """Those of the ids, or all. Raises NoSuchMessage before anything is done."""
    there = {one.id: one for one in aside.rejected(client, keys)}
    if missing := [one for one in ids if one not in there]:
        raise NoSuchMessage(
            f"no message {', '.join(missing)} is set aside: `facetrail rejected list` shows those "
            "that are"
        )
    return [there[one] for one in dict.fromkeys(ids)] if ids else list(there.values())


def _shown(one: Rejected) -> Shown:
    return Shown(
        id=one.id,
        at=one.at.isoformat(timespec="milliseconds"),
        reason=one.reason,
        kind=one.kind,
        size=one.size,
        whole=one.is_whole,
    )


def _tell(outcome: Outcome, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(outcome)
    else:
        print(f"{outcome.done} messages {what}")
