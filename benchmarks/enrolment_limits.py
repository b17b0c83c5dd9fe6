"""How many good photos the limits of enrolment refuse, and how many wrong ones they catch.

    python -m benchmarks.enrolment_limits --images lfw/images --pairs lfw/pairs.txt

Every photo of the folder is measured, the face nearest to its middle. With it: the limits as the
settings have them, and as the checks of photos against each other have them.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facetrail import log
from facetrail.errors import BadPicture
from facetrail.settings import Settings, read_settings
from facetrail.wire import Chips, Encoder, Encodings, Quality
from index.consistency import FACTORS, OTHER_FACTOR, farthest
from index.photo_limits import PhotoLimits
from ingest.faces.align import align
from ingest.faces.quality import quality_of
from training.faces import central_face, encoded, read_photo
from training.lfw import Pair, read_pairs
from training.people import photos_by_person
from training.photos import photo_detector, with_bar
from workers.encoders.choice import is_here, opened_encoder
from workers.encoders.registry import ENTRIES

SHARES = (0.1, 0.5, 1, 5, 50)
TRIED = (1.0, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3)
#: Others a photo is compared with, beside a single one.
SEVERAL = 4

Row = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """The n photos with a face. chips: uint8 `(n, 112, 112, 3)`."""

    paths: list[Path]
    qualities: list[Quality]
    chips: Chips


def measured(photos: Sequence[Path], settings: Settings) -> Measured:
    detector = photo_detector(settings)
    paths, qualities, chips = [], [], []
    for path in with_bar(photos):
        picture = read_photo(path)
        face = central_face(picture, detector)
        chip = None if face is None else align(picture, face.landmarks)
        if face is None or chip is None:
            continue
        paths.append(path)
        qualities.append(quality_of(face, chip))
        chips.append(chip)
    return Measured(paths, qualities, np.stack(chips))


def refused_by(limits: PhotoLimits, qualities: Sequence[Quality]) -> dict[str, int]:
    """How many photos each limit refuses, whatever the others say."""
    alone = {
        "too_small": PhotoLimits(limits.min_face),
        "blurred": PhotoLimits(0, min_sharpness=limits.min_sharpness),
        "turned_away": PhotoLimits(0, max_yaw=limits.max_yaw),
    }
    return {
        reason: sum(not _passes(limit, quality) for quality in qualities)
        for reason, limit in alone.items()
    }


def _passes(limits: PhotoLimits, quality: Quality) -> bool:
    try:
        limits.check("", quality)
    except BadPicture:
        return False
    return True


def quality_report(found: Measured, settings: Settings) -> None:
    limits = PhotoLimits(
        settings.photo_min_face, settings.photo_min_sharpness, settings.photo_max_yaw
    )
    count = len(found.qualities)
    print(f"\n{count} photos: {limits}\n\n| reason | refused | share |\n|---|---|---|")
    for reason, refused in refused_by(limits, found.qualities).items():
        print(f"| `{reason}` | {refused} | {refused / count:.2%} |")
    head = " | ".join(f"{share} %" for share in SHARES)
    print(f"\n| of the photos, so many are worse | {head} |\n|---|" + "---|" * len(SHARES))
    worst_first = {
        "height, pixels": [quality.height for quality in found.qualities],
        "sharpness": [quality.sharpness for quality in found.qualities],
        "yaw": [-quality.yaw for quality in found.qualities],
    }
    for name, values in worst_first.items():
        row = " | ".join(f"{abs(value):.3g}" for value in np.percentile(values, SHARES))
        print(f"| {name} | {row} |")


def distances(pairs: Sequence[Pair], encodings: Mapping[Path, Encodings], *, same: bool) -> Row:
    """Of the pairs that show one person, or of the others."""
    return np.array(
        [
            np.linalg.norm(encodings[pair.first] - encodings[pair.second])
            for pair in pairs
            if pair.same == same and pair.first in encodings and pair.second in encodings
        ],
        np.float32,
    )


def among_several(people: Sequence[Encodings], random: np.random.Generator) -> tuple[Row, Row]:
    """To the nearest of `SEVERAL` photos: of each other photo of theirs, and of somebody else's."""
    own, others = [], []
    enough = [rows for rows in people if len(rows) > SEVERAL]
    for number, rows in enumerate(enough):
        order = random.permutation(len(rows))
        kept, probes = rows[order[:SEVERAL]], rows[order[SEVERAL:]]
        strangers = enough[(number + 1) % len(enough)][: len(probes)]
        own += [np.linalg.norm(kept - probe, axis=1).min() for probe in probes]
        others += [np.linalg.norm(kept - probe, axis=1).min() for probe in strangers]
    return np.array(own, np.float32), np.array(others, np.float32)


def against_all(people: Sequence[Encodings], threshold: float) -> tuple[float, float]:
    """With a photo of everyone enrolled: shares of second photos refused as somebody else's, and
    of people who would be warned of as new ones."""
    enrolled = np.stack([rows[0] for rows in people])
    between = _between(enrolled, enrolled)
    np.fill_diagonal(between, np.inf)
    warned = float(np.mean(between.min(axis=1) <= threshold))
    several = [number for number, rows in enumerate(people) if len(rows) > 1]
    to_all = _between(np.stack([people[number][1] for number in several]), enrolled)
    places = np.arange(len(several))
    to_own = to_all[places, several].copy()
    to_all[places, several] = np.inf
    other = to_all.min(axis=1)
    return float(np.mean((other <= threshold) & (other < to_own))), warned


def _between(one: Encodings, other: Encodings) -> Row:
    return np.asarray(np.sqrt(np.maximum(0, 2 - 2 * one @ other.T)), np.float32)


def consistency_report(
    encoder: Encoder,
    pairs: Sequence[Pair],
    people: Mapping[str, list[Path]],
    encodings: Mapping[Path, Encodings],
) -> None:
    rows = [
        np.stack(theirs)
        for photos in people.values()
        if (theirs := [encodings[p] for p in photos if p in encodings])
    ]
    genuine = distances(pairs, encodings, same=True)
    wrong = distances(pairs, encodings, same=False)
    own, others = among_several(rows, np.random.default_rng(0))
    chosen = farthest(encoder)
    print(
        f"\n`{encoder.id}`, threshold {encoder.threshold}, limit {chosen:.4g}\n\n"
        "| limit in thresholds | one other photo: refused | wrong caught | "
        f"{SEVERAL} others: refused | wrong caught |\n|---|" + "---|" * 4
    )
    for factor in sorted({*TRIED, chosen / encoder.threshold}):
        limit = factor * encoder.threshold
        cells = [np.mean(found > limit) for found in (genuine, wrong, own, others)]
        print(f"| {factor:.3g} | " + " | ".join(f"{cell:.2%}" for cell in cells) + " |")
    looks_like, warned = against_all(rows, encoder.threshold)
    print(
        f"{len(genuine)} pairs of one person, {len(wrong)} of two; {len(own)} photos against "
        f"{SEVERAL} others. With one photo of each of {len(rows)} people enrolled: second photos "
        f"refused as somebody else's {looks_like:.2%}, new people warned of {warned:.2%}"
    )


def run(settings: Settings, given: argparse.Namespace) -> None:
    people = photos_by_person(given.images)
    found = measured([photo for photos in people.values() for photo in photos], settings)
    quality_report(found, settings)
    pairs = read_pairs(given.pairs, given.images)
    print(f"\nfactors: {FACTORS}, of other encoders {OTHER_FACTOR}")
    here = [entry.name for entry in ENTRIES if is_here(entry.name, settings)]
    for name in given.encoder or here:
        encoder = opened_encoder(name, settings)
        rows = encoded(found.chips, encoder)
        encodings = dict(zip(found.paths, rows, strict=True))
        consistency_report(encoder, pairs, people, encodings)


def main() -> None:
    parser = argparse.ArgumentParser(description="What the limits of enrolment refuse.")
    parser.add_argument("--images", type=Path, required=True, help="a folder per person")
    parser.add_argument("--pairs", type=Path, required=True, help="LFW's pairs file")
    parser.add_argument("--encoder", action="append", help="only this one; may be said again")
    settings = read_settings()
    log.configure(level=settings.log_level)
    run(settings, parser.parse_args())


if __name__ == "__main__":
    main()
