"""`facetrail find`: where was the person in a photo seen, named or not?"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

import msgspec
import numpy as np

from facetrail.cli.contact_sheet import MOST_PICTURES, MOST_ROWS, Row, contact_sheet
from facetrail.cli.json_line import json_line
from facetrail.cli.people import open_gallery
from facetrail.cli.picture_file import check_target, save
from facetrail.cli.since import shown_span, since_time
from facetrail.events import Person
from facetrail.settings import Settings
from facetrail.sightings import Kept, every, snapshots
from facetrail.store import answered
from facetrail.wire import Encoder, Encodings
from index.gallery import Gallery
from index.photos.portrait import decoded, portrait, read
from training.photos import photo_detector
from workers.encoders.choice import chosen_encoder


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """One sighting, as `find --json` prints it.

    person: None for a stranger, and for somebody who is enrolled no more. unknown: the
    stranger's id. distance: Euclidean, of unit encodings, 0 to 2.
    """

    camera: str
    zones: tuple[str, ...]
    first_at: str
    last_at: str
    person: Person | None
    unknown: str | None
    distance: float
    threshold: float
    encoder: str
    snapshot: str | None

    def line(self) -> str:
        who = self.unknown or (self.person.name if self.person else "somebody removed")
        at = shown_span(self.first_at, self.last_at)
        numbers = f"distance {self.distance:.3f} ≤ {self.threshold:.3f}"
        return f"{self.camera:<16} {at}  {who:<24} {numbers}  {self.snapshot or 'no picture'}"


def run(
    settings: Settings,
    path: Path,
    *,
    since: str | None,
    cameras: frozenset[str] | None,
    save_to: Path | None,
    as_json: bool,
) -> None:
    """Prints the sightings camera by camera, of each the newest last.

    save_to: a picture of them, a row for each camera.

    Raises BadPicture, BadSettings, EncoderMismatch, BadModelFile, RedisAway.
    """
    earliest = since_time(since)
    if save_to is not None:
        check_target(save_to)
    picture = decoded(path, read(path))
    gallery = open_gallery(settings)
    with answered(gallery.client):
        encoder = chosen_encoder(gallery.encoder, settings)
        least = settings.photo_min_face
        chip = portrait(path, picture, photo_detector(settings), min_face=least).chip
        probe = np.asarray(encoder.encode(chip[None])[0], np.float32)
        kept = _in_question(gallery, encoder, earliest, cameras)
        matches = _matches(gallery, kept, probe, encoder)
        if save_to is not None:
            save(contact_sheet(_rows(gallery, matches)), save_to)
    _warn(settings, earliest)
    for match in matches:
        sys.stdout.write((json_line(match) if as_json else match.line()) + "\n")
    if not matches:
        print(f"nobody like that was seen, in {len(kept)} sightings", file=sys.stderr)


def _warn(settings: Settings, earliest: datetime | None) -> None:
    """Where the past that was asked for is not kept."""
    kept = {
        "people": ("FACETRAIL_SNAPSHOT_TTL_S", settings.snapshot_ttl_s),
        "strangers": ("FACETRAIL_UNKNOWN_TTL_S", settings.unknown_ttl_s),
    }
    for whose, (name, seconds) in kept.items():
        if earliest is not None and earliest < datetime.now(UTC) - timedelta(seconds=seconds + 60):
            words = f"{name} is {seconds} s: sightings of {whose} from before that are kept no more"
            print(words, file=sys.stderr)


def _rows(gallery: Gallery, matches: Sequence[Match]) -> list[Row]:
    """Of each camera what was seen last, the newest first."""
    rows = []
    for camera, group in groupby(matches, key=lambda match: match.camera):
        newest = list(group)[::-1]
        names = [match.snapshot for match in newest if match.snapshot is not None]
        shown = snapshots(gallery.client, gallery.keys, names[:MOST_PICTURES])
        span = shown_span(newest[-1].first_at, newest[0].last_at)
        words = f"seen {len(newest)} times; {span}"
        rows.append(Row(camera, words, [one.context or one.chip for one in shown if one]))
    return rows[:MOST_ROWS]


def _in_question(
    gallery: Gallery,
    encoder: Encoder,
    earliest: datetime | None,
    cameras: frozenset[str] | None,
) -> list[Kept]:
    """Those whose encodings can be compared; says on stderr how many can't."""
    found, others = [], Counter[str]()
    for one in every(gallery.client, gallery.keys):
        seen = one.sighting
        if cameras is not None and seen.camera not in cameras:
            continue
        if earliest is not None and datetime.fromisoformat(seen.last_at) < earliest:
            continue
        if seen.encoder == encoder.id:
            found.append(one)
        else:
            others[seen.encoder] += 1
    for name, count in others.items():
        print(f"not compared: {count} sightings by encoder {name}", file=sys.stderr)
    return found


def _matches(
    gallery: Gallery, kept: Sequence[Kept], probe: Encodings, encoder: Encoder
) -> list[Match]:
    """probe: `(128,)`. Up to the threshold in force, by camera, then by time."""
    threshold = (gallery.calibration(encoder.id) or encoder).threshold
    rows = np.stack([one.numbers for one in kept]) if kept else np.zeros((0, 128), np.float32)
    distances = np.linalg.norm(rows - probe, axis=1)  # (n,)
    rows_near = np.flatnonzero(distances <= threshold).tolist()
    near = [(kept[row].sighting, float(distances[row])) for row in rows_near]
    people = _people(gallery, {seen.person for seen, _ in near if seen.person is not None})
    return [
        Match(
            camera=seen.camera,
            zones=seen.zones,
            first_at=seen.first_at,
            last_at=seen.last_at,
            person=people.get(seen.person or ""),
            unknown=seen.stranger,
            distance=distance,
            threshold=threshold,
            encoder=encoder.id,
            snapshot=seen.snapshot,
        )
        for seen, distance in sorted(near, key=lambda pair: (pair[0].camera, pair[0].last_at))
    ]


def _people(gallery: Gallery, ids: set[str]) -> dict[str, Person]:
    return {one.id: one.said for one in gallery.find(sorted(ids)) if one is not None}
