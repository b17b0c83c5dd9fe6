"""`facetrail people status`: how far each worker has followed the gallery."""

from __future__ import annotations

import msgspec
from rich.console import Console
from rich.table import Table

from facetrail.cli.json_line import print_json
from facetrail.cli.people import open_gallery
from facetrail.settings import Settings
from facetrail.store import answered
from index.followers import behind, followers
from index.replica import Applied


class Follower(Applied, frozen=True, kw_only=True):
    """A worker of `people status --json`. behind: changes that it has not applied."""

    behind: int


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What `people status --json` prints.

    position: of the newest change. unwritten: whether Redis's files hold erased data still.
    """

    position: str
    encoder: str | None
    people: int
    photos: int
    unwritten: bool
    workers: list[Follower]


def run(settings: Settings, *, as_json: bool) -> None:
    """Raises RedisAway."""
    gallery = open_gallery(settings)
    with answered(gallery.client):
        position = gallery.position()
        status = Status(
            position=position,
            encoder=gallery.encoder,
            people=gallery.count_people(),
            photos=gallery.count_encodings(),
            unwritten=bool(gallery.client.exists(gallery.keys.gallery_unwritten)),
            workers=[
                Follower(**msgspec.structs.asdict(one), behind=behind(gallery, one.position))
                for one in followers(gallery.client, gallery.keys)
            ],
        )
    if as_json:
        print_json(status)
    else:
        _print(status)


def _print(status: Status) -> None:
    print(
        f"{status.people} people, {status.photos} photos, encoder {status.encoder}, "
        f"newest change {status.position}"
    )
    table = Table("worker", "encoder", "encodings", "applied", "behind", "erased up to")
    for one in status.workers:
        numbers = (str(one.encodings), one.position, str(one.behind), one.forgotten)
        table.add_row(one.worker, one.encoder, *numbers)
    Console().print(table)
    for one in status.workers:
        if one.problem is not None:
            print(f"{one.worker} recognises nobody: {one.problem}")
    if status.unwritten:
        print("Redis's files hold erased data still: a worker has them written anew")
    if not status.workers:
        print("no worker runs: start one with `facetrail worker`")
