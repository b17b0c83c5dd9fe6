"""A folder of photos of people who are not enrolled."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facetrail.errors import BadPicture, BadSettings
from facetrail.settings import Settings
from facetrail.wire import Encoder, Encodings
from index.gallery import Gallery
from index.photos.portrait import decoded, folders_of, photos_in, portrait, read
from index.shown import shown
from ingest.faces.face import Detector
from training.photos import photo_detector, with_bar


@dataclass(frozen=True, slots=True, eq=False)
class Strangers:
    """The photos that could be used, person by person, and the reasons for the others.

    encodings: float32 `(k, 128)` for each person. paths: to show, of all rows, in that order.
    """

    encodings: list[Encodings] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    skipped: list[tuple[str, BadPicture]] = field(default_factory=list)


def owners_in(folder: Path) -> dict[Path, Path]:
    """Each photo, and whose it is: its folder's, or its own where it lies in no folder of one.

    Raises BadSettings.
    """
    people = folders_of(folder)
    owners = {photo: photo for photo in photos_in(folder)}
    owners |= {photo: person for person in people for photo in photos_in(person)}
    if not owners:
        raise BadSettings(
            f"{shown(folder)} has no photos: put some of strangers there, or name another"
        )
    return owners


def encoded_strangers(
    owners: Mapping[Path, Path], gallery: Gallery, encoder: Encoder, settings: Settings
) -> Strangers:
    """Of each photo the one face in front. Raises BadModelFile."""
    reader = _Reader(gallery, photo_detector(settings), encoder, settings.photo_min_face)
    found = Strangers()
    people: dict[Path, list[Encodings]] = {}
    for path in with_bar(list(owners)):
        try:
            encoding = reader.encoding(path)
        except BadPicture as error:
            found.skipped.append((shown(path), error))
            continue
        people.setdefault(owners[path], []).append(encoding)
        found.paths.append(shown(path))
    found.encodings.extend(np.stack(rows) for rows in people.values())
    return found


class _Reader:
    def __init__(
        self, gallery: Gallery, detector: Detector, encoder: Encoder, min_face: int
    ) -> None:
        self._gallery, self._detector, self._encoder = gallery, detector, encoder
        self._min_face = min_face
        self._digests: set[str] = set()

    def encoding(self, path: Path) -> Encodings:
        """Float32 `(128,)`. Raises BadPicture, also for a photo that counts already."""
        data = read(path)
        self._check_new(path, hashlib.sha256(data).hexdigest())
        picture = decoded(path, data)
        chip = portrait(path, picture, self._detector, min_face=self._min_face).chip
        return np.asarray(self._encoder.encode(chip[None])[0], np.float32)

    def _check_new(self, path: Path, digest: str) -> None:
        owner = self._gallery.owner_of(digest)
        if owner is not None:
            raise BadPicture(
                "duplicate_photo", f"{shown(path)} is enrolled for {owner}, who is no stranger"
            )
        if digest in self._digests:
            raise BadPicture("duplicate_photo", f"{shown(path)} is there twice; it counts once")
        self._digests.add(digest)
