"""`facetrail people re-encode`: the gallery moves to another encoder."""

from __future__ import annotations

import msgspec

from facetrail.cli.json_line import print_json
from facetrail.cli.people import open_gallery
from facetrail.errors import FacetrailError
from facetrail.settings import Settings
from facetrail.store import answered
from index.re_encode import ReEncoding
from training.photos import with_bar
from workers.encoders.choice import opened_encoder


class Moved(msgspec.Struct, frozen=True):
    """What `people re-encode --json` prints."""

    encoder: str
    before: str | None
    photos: int


def run(settings: Settings, name: str, *, as_json: bool) -> None:
    """Raises BadModelFile, GalleryError, RedisAway; then the old encoder serves on."""
    gallery = open_gallery(settings)
    encoder = opened_encoder(name, settings)
    with answered(gallery.client):
        before = gallery.encoder
        moving = ReEncoding(gallery, encoder)
        try:
            count = moving.run(lambda people: with_bar(people, "Encoding"))
        except (FacetrailError, KeyboardInterrupt):
            moving.cancel()
            raise
    moved = Moved(encoder.id, before, count)
    if as_json:
        print_json(moved)
    else:
        print(f"{count} photos are encoded by {encoder.id}, which serves now; before, {before} did")
        if settings.encoder is not None:
            print(f"FACETRAIL_ENCODER is {settings.encoder}: set it anew, or take it away")
