"""`facetrail verify`: do two photos show the same person?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from facetrail.cli.draw import Kind, Mark, pair
from facetrail.cli.json_line import print_json
from facetrail.cli.picture_file import check_target, save
from facetrail.settings import Settings
from index.photos.portrait import Portrait, decoded, portrait, read
from index.shown import shown
from ingest.faces.face import Picture
from training.photos import photo_detector
from workers.encoders.choice import chosen_encoder


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What `verify --json` prints.

    distance, threshold: Euclidean, of unit encodings, 0 to 2. similarity: their cosine. boxes: x,
    y, width, height in pixels of each photo.
    """

    photos: tuple[str, str]
    same: bool
    distance: float
    similarity: float
    threshold: float
    encoder: str
    boxes: tuple[tuple[float, ...], tuple[float, ...]]

    def verdict(self) -> str:
        return "the same person" if self.same else "not the same person"

    def comparison(self) -> str:
        sign = "≤" if self.distance <= self.threshold else ">"
        return f"distance {self.distance:.3f} {sign} {self.threshold:.3f}"


@dataclass(frozen=True, slots=True, eq=False)
class _Photo:
    path: Path
    picture: Picture
    found: Portrait


def run(
    settings: Settings,
    paths: tuple[Path, Path],
    *,
    threshold: float | None,
    save_to: Path | None,
    as_json: bool,
) -> None:
    """Prints distance, threshold and verdict. Raises BadPicture, BadModelFile, BadSettings.

    threshold: None takes the encoder's own.
    """
    if save_to is not None:
        check_target(save_to)
    one, other = _photos(paths, settings)
    verification = _verified(one, other, settings, threshold)
    if save_to is not None:
        _draw(one, other, verification, save_to)
    if as_json:
        print_json(verification)
        return
    print(f"{verification.verdict()}: {verification.comparison()} ({verification.encoder})")


def _photos(paths: tuple[Path, Path], settings: Settings) -> list[_Photo]:
    pictures = [(path, decoded(path, read(path))) for path in paths]
    detector, least = photo_detector(settings), settings.photo_min_face
    return [
        _Photo(path, picture, portrait(path, picture, detector, min_face=least))
        for path, picture in pictures
    ]


def _verified(
    one: _Photo, other: _Photo, settings: Settings, threshold: float | None
) -> Verification:
    encoder = chosen_encoder(None, settings)
    first, second = encoder.encode(np.stack([one.found.chip, other.found.chip]))
    distance = float(np.linalg.norm(first - second))
    limit = encoder.threshold if threshold is None else threshold
    return Verification(
        photos=(shown(one.path), shown(other.path)),
        same=distance <= limit,
        distance=distance,
        similarity=float(first @ second),
        threshold=limit,
        encoder=encoder.id,
        boxes=(one.found.face.box, other.found.face.box),
    )


def _draw(one: _Photo, other: _Photo, verification: Verification, path: Path) -> None:
    kind: Kind = "named" if verification.same else "unknown"
    marked = [
        (photo.picture, Mark(photo.found.face, [shown(photo.path.name)], kind))
        for photo in (one, other)
    ]
    why = f"{verification.comparison()}   ({verification.encoder})"
    save(pair(marked, verification.verdict(), why, kind), path)
