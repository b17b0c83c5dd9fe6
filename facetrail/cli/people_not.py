"""`facetrail people not`: these faces are somebody else's."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from facetrail.cli.json_line import print_json
from facetrail.cli.people import open_gallery
from facetrail.cli.sighted import chip_of, sighting_said
from facetrail.errors import EncoderMismatch
from facetrail.settings import Settings
from facetrail.store import answered
from index.gallery import Gallery
from index.photo import Photo
from index.photos.portrait import called_like_a_picture, decoded, portrait, read
from index.shown import shown
from ingest.faces.jpeg import jpeg
from training.photos import photo_detector
from workers.encoders.choice import chosen_encoder


class RuledOut(msgspec.Struct, frozen=True):
    """What `people not --json` prints. negatives: how many the person now has."""

    id: str
    name: str
    negatives: int


def run(settings: Settings, name: str, said: Sequence[str], *, as_json: bool) -> None:
    """Raises NoSuchPerson, BadPicture, GalleryError, RedisAway; then nothing is kept."""
    gallery = open_gallery(settings)
    with answered(gallery.client):
        person = gallery.named(name)
        own = gallery.encoder or ""
        files = [Path(one) for one in said if _is_file(one)]
        events = [one for one in said if not _is_file(one)]
        photos = [_of_event(gallery, event) for event in events]
        photos += _of_files(gallery, files, settings)
        gallery.rule_out(person.name, photos, encoder=own)
        count = len(gallery.negatives(person.id))
    if as_json:
        print_json(RuledOut(person.id, person.name, count))
    else:
        print(f"{person.name} is not called so any more by faces nearer to {_these(count)}")


def _is_file(said: str) -> bool:
    """Whether a photo is meant: one that is there, or that is called like one."""
    return os.path.exists(said) or called_like_a_picture(os.path.basename(said))


def _these(count: int) -> str:
    return "this one" if count == 1 else f"these {count}"


def _of_event(gallery: Gallery, said: str) -> Photo:
    kept = sighting_said(gallery.client, gallery.keys, said)
    if kept.sighting.encoder != gallery.encoder:
        raise EncoderMismatch(
            f"{kept.sighting.name} was seen by encoder {kept.sighting.encoder}, but the gallery "
            f"belongs to {gallery.encoder}: take a later event"
        )
    chip = chip_of(gallery.client, gallery.keys, kept).chip
    return _photo(hashlib.sha256(chip).hexdigest(), kept.sighting.source, kept.encoding, chip)


def _of_files(gallery: Gallery, files: Sequence[Path], settings: Settings) -> list[Photo]:
    if not files:
        return []
    encoder, detector = chosen_encoder(gallery.encoder, settings), photo_detector(settings)
    found = []
    for path in files:
        data = read(path)
        picture = decoded(path, data)
        chip = portrait(path, picture, detector, min_face=settings.photo_min_face).chip
        encoding = encoder.encode(chip[None])[0].astype("<f4").tobytes()
        digest = hashlib.sha256(data).hexdigest()
        found.append(_photo(digest, shown(path.name), encoding, jpeg(chip)))
    return found


def _photo(digest: str, source: str, encoding: bytes, chip: bytes) -> Photo:
    return Photo(digest=digest, source=source, encoding=encoding, chip=chip)
