"""`facetrail people rename`, `set`, `merge` and `split`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from facetrail.cli.json_line import print_json
from facetrail.cli.people import open_gallery
from facetrail.errors import GalleryError
from facetrail.settings import Settings
from facetrail.store import answered
from index.gallery import Gallery
from index.person import EnrolledPerson
from index.unfinished import MOST_WAITED_S, Unfinished


@dataclass(frozen=True, slots=True)
class Tags:
    """Tags more, and tags less."""

    add: tuple[str, ...]
    remove: tuple[str, ...]

    def of(self, person: EnrolledPerson) -> tuple[str, ...]:
        return tuple(tag for tag in (*person.tags, *self.add) if tag not in self.remove)


def describe(
    settings: Settings, name: str, changes: Mapping[str, object], *, as_json: bool
) -> None:
    """Changes fields of a person. Raises NoSuchPerson, GalleryError, RedisAway."""
    gallery = open_gallery(settings)
    with answered(gallery.client):
        _say(gallery.changed(name, partial(_changed, changes)), "changed", as_json=as_json)


def _changed(changes: Mapping[str, object], person: EnrolledPerson) -> EnrolledPerson:
    tags = changes.get("tags")
    if isinstance(tags, Tags):
        changes = {**changes, "tags": tags.of(person)}
    return msgspec.structs.replace(person, **changes)


def merge(settings: Settings, name: str, into: str, *, as_json: bool) -> None:
    """Raises NoSuchPerson, GalleryError, RedisAway."""
    gallery = open_gallery(settings)
    with answered(gallery.client):
        gone = gallery.named(name)
        person = gallery.merge(name, into)
        Unfinished(gallery, wait_s=MOST_WAITED_S).finish()  # a worker does what is left
    _say(person, f"now also has the photos of {gone.name}", as_json=as_json)


def split(
    settings: Settings, name: str, new_name: str, photos: Sequence[str], *, as_json: bool
) -> None:
    """photos: starts of their digests. Raises NoSuchPerson, GalleryError, RedisAway."""
    gallery = open_gallery(settings)
    with answered(gallery.client):
        digests = _digests(gallery, name, photos)
        person = gallery.split(name, digests, new_name)
    _say(person, f"now has {len(digests)} photos of {name}", as_json=as_json)


def _digests(gallery: Gallery, name: str, starts: Sequence[str]) -> list[str]:
    own = [photo.digest for photo in gallery.photos(gallery.named(name).id)]
    found: list[str] = []
    for start in starts:
        matching = [digest for digest in own if digest.startswith(start.lower())]
        if len(matching) != 1:
            raise GalleryError(
                f"{start[:40]!r} names {len(matching)} photos of {name}, expected one: "
                "`facetrail people show` lists them"
            )
        found += matching
    return list(dict.fromkeys(found))


def _say(person: EnrolledPerson, words: str, *, as_json: bool) -> None:
    if as_json:
        print_json(person)
    else:
        print(f"{person.name} {words}")
