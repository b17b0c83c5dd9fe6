"""`facetrail unknowns name`: a stranger becomes somebody enrolled."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from facetrail.cli.json_line import print_json
from facetrail.cli.people import open_gallery
from facetrail.errors import EncoderMismatch, GalleryError, NoSuchPerson
from facetrail.settings import Settings
from facetrail.sightings import Kept, is_stranger, of, pictures
from facetrail.store import answered
from index.gallery import Gallery
from index.person import checked_name
from index.photo import Photo
from index.unfinished import MOST_WAITED_S, Unfinished

#: The best of so many sightings become photos.
MOST_PHOTOS = 5


class Named(msgspec.Struct, frozen=True):
    """What `unknowns name --json` prints. photos: added; sightings: of the person's from now on."""

    unknown: str
    id: str
    name: str
    photos: int
    sightings: int


def run(settings: Settings, stranger: str, name: str, *, as_json: bool) -> None:
    """Raises NoSuchPerson, GalleryError, EncoderMismatch, RedisAway."""
    gallery = open_gallery(settings)
    with answered(gallery.client):
        named = named_stranger(gallery, stranger, name)
    if as_json:
        print_json(named)
        return
    print(f"{stranger} is {named.name}: {named.photos} photos, {named.sightings} sightings")


def named_stranger(gallery: Gallery, stranger: str, name: str) -> Named:
    """Enrols a stranger under a name; cut short, it may be called again.

    Raises NoSuchPerson, GalleryError, EncoderMismatch.
    """
    name = checked_name(name)
    kept = of(gallery.client, gallery.keys, stranger) if is_stranger(stranger) else []
    if not kept:
        raise NoSuchPerson(
            f"there is no stranger {stranger[:40]!r}: `facetrail unknowns list` shows who is"
        )
    encoder = gallery.encoder or kept[0].sighting.encoder
    photos = _photos(gallery, [one for one in kept if one.sighting.encoder == encoder])
    if not photos:
        raise _no_photos(stranger, kept, encoder)
    # Some may be there already: of a call that was cut short.
    new = [photo for photo in photos if gallery.owner_of(photo.digest) is None]
    person = gallery.enrol(name, photos, encoder=encoder, stranger=stranger)
    Unfinished(gallery, wait_s=MOST_WAITED_S).finish()  # a worker does what is left
    return Named(stranger, person.id, person.name, len(new), len(kept))


def _photos(gallery: Gallery, kept: Sequence[Kept]) -> list[Photo]:
    """The best that have a picture still."""
    best = sorted(kept, key=lambda one: one.sighting.quality.score, reverse=True)
    found = pictures(gallery.client, gallery.keys, [one.sighting for one in best])
    photos = {}
    for one, snapshot in zip(best, found, strict=True):
        if snapshot is not None:
            digest = hashlib.sha256(snapshot.chip).hexdigest()
            photos[digest] = Photo(
                digest=digest,
                source=one.sighting.source,
                encoding=one.encoding,
                chip=snapshot.chip,
            )
    return list(photos.values())[:MOST_PHOTOS]


def _no_photos(stranger: str, kept: Sequence[Kept], encoder: str) -> GalleryError:
    if all(one.sighting.encoder != encoder for one in kept):
        return EncoderMismatch(
            f"{stranger} was seen by encoder {kept[0].sighting.encoder}, but the gallery belongs "
            f"to {encoder}: enrol them from photos, with `facetrail enroll`"
        )
    return GalleryError(
        f"no picture of {stranger} is kept: enrol them from photos, with `facetrail enroll`"
    )
