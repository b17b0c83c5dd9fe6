"""`facetrail people list` and `show`: who is enrolled."""

from __future__ import annotations

import sys

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facetrail.cli.json_line import print_json
from facetrail.settings import Settings
from facetrail.store import Keys, answered, checked, connect
from index.gallery import Gallery
from index.person import EnrolledPerson
from index.photo import Photo
from index.shown import printable, shown

#: Digits of a photo's digest that people see and say.
SHOWN = 12


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `people list --json`."""

    id: str
    name: str
    external_id: str | None
    notes: str
    tags: tuple[str, ...]
    active_from: str | None
    active_until: str | None
    ignored: bool
    enrolled_at: str
    photos: int
    encoder: str | None


class ListedPhoto(msgspec.Struct, frozen=True, kw_only=True):
    """A photo of `people show --json`. negative: it shows somebody else."""

    digest: str
    source: str
    negative: bool


class Shown(Listed, frozen=True, kw_only=True):
    """What `people show --json` prints."""

    pictures: list[ListedPhoto]


def show_all(settings: Settings, tag: str | None, *, as_json: bool) -> None:
    """Prints everyone, by name. Raises RedisAway."""
    gallery = open_gallery(settings)
    with answered(gallery.client):
        own = gallery.encoder
        found = [person for person in gallery.people() if tag is None or tag in person.tags]
        counts = gallery.count_photos([person.id for person in found])
    if as_json:
        for person, count in zip(found, counts, strict=True):
            print_json(Listed(**msgspec.structs.asdict(person), photos=count, encoder=own))
        return
    title = f"{len(found)} enrolled ({own})"
    table = Table("name", "photos", "enrolled", "tags", "", "id", title=title)
    for person, count in zip(found, counts, strict=True):
        tags = escape(", ".join(person.tags))
        row = (escape(person.name), str(count), person.enrolled_at, tags, _rule(person))
        table.add_row(*row, person.id)
    Console().print(table)


def show_one(settings: Settings, name: str, *, as_json: bool) -> None:
    """Prints a person and their photos. Raises NoSuchPerson, RedisAway."""
    gallery = open_gallery(settings)
    with answered(gallery.client):
        person = gallery.named(name)
        photos, others = gallery.photos(person.id), gallery.negatives(person.id)
        own = gallery.encoder
    found = Shown(
        **msgspec.structs.asdict(person),
        photos=len(photos),
        encoder=own,
        pictures=[
            ListedPhoto(digest=p.digest, source=p.source, negative=p.negative)
            for p in (*photos, *others)
        ],
    )
    if as_json:
        print_json(found)
        return
    sys.stdout.write("\n".join(_lines(person, [*photos, *others])) + "\n")


def _lines(person: EnrolledPerson, photos: list[Photo]) -> list[str]:
    facts = {
        "id": person.id,
        "external id": person.external_id,
        "notes": "\n    ".join(map(printable, person.notes.splitlines())),
        "tags": ", ".join(person.tags),
        "rule": _rule(person),
        "enrolled": person.enrolled_at,
    }
    lines = [person.name, *(f"  {fact}: {value}" for fact, value in facts.items() if value)]
    for photo in photos:
        words = "not them" if photo.negative else "photo"
        lines.append(f"  {words} {photo.digest[:SHOWN]}  {shown(photo.source)}")
    return lines


def _rule(person: EnrolledPerson) -> str:
    words = ["ignored"] if person.ignored else []
    words += [f"from {person.active_from}"] if person.active_from else []
    words += [f"until {person.active_until}"] if person.active_until else []
    return ", ".join(words)


def open_gallery(settings: Settings) -> Gallery:
    """The gallery, once Redis has answered. Raises RedisAway."""
    client = checked(connect(settings.redis_url))
    return Gallery(client, Keys(settings.key_prefix))
