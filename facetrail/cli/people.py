"""`facetrail people`: who is enrolled."""

from __future__ import annotations

import sys

import msgspec
from rich.console import Console
from rich.table import Table

from facetrail.settings import Settings
from facetrail.store import Keys, answered, checked, connect
from index.gallery import EnrolledPerson, Gallery


class Listed(msgspec.Struct, frozen=True):
    """One line of `people list --json`."""

    id: str
    name: str
    external_id: str | None
    enrolled_at: str
    photos: int
    encoder: str | None


def show_all(settings: Settings, *, as_json: bool) -> None:
    """Prints everyone, by name. Raises RedisAway."""
    gallery = open_gallery(settings)
    with answered(gallery.client):
        own = gallery.encoder
        listed = [_listed(gallery, person, own) for person in gallery.people()]
    if as_json:
        for person in listed:
            sys.stdout.write(msgspec.json.encode(person).decode() + "\n")
        return
    table = Table("name", "photos", "enrolled", "id", title=f"{len(listed)} enrolled ({own})")
    for person in listed:
        table.add_row(person.name, str(person.photos), person.enrolled_at, person.id)
    Console().print(table)


def remove(settings: Settings, name: str) -> None:
    """Erases a person. Raises NoSuchPerson, RedisAway."""
    gallery = open_gallery(settings)
    with answered(gallery.client):
        person = gallery.remove(name)
    print(f"{person.name} is removed")


def open_gallery(settings: Settings) -> Gallery:
    """The gallery, once Redis has answered. Raises RedisAway."""
    client = checked(connect(settings.redis_url))
    return Gallery(client, Keys(settings.key_prefix))


def _listed(gallery: Gallery, person: EnrolledPerson, encoder: str | None) -> Listed:
    photos = gallery.count_photos(person.id)
    return Listed(person.id, person.name, person.external_id, person.enrolled_at, photos, encoder)
