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
from index.photos.consistency import FACTORS, LEAD, OTHER_FACTOR, farthest
from index.photos.photo_limits import PhotoLimits
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
#: By how much nearer to somebody else a photo is, in thresholds.
LEADS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
#: The share of new people who are warned of by a threshold that fits their number.
WARNED = 0.01

Row = NDArray[np.float32]
Places = NDArray[np.intp]


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


def nearest_others(people: Sequence[Encodings]) -> Row:
    """From each person's first photo to the nearest first photo of somebody else, `(n,)`."""
    first = np.stack([rows[0] for rows in people])
    between = _between(first, first)
    np.fill_diagonal(between, np.inf)
    return np.asarray(between.min(axis=1), np.float32)


class AgainstAll:
    """Everyone enrolled by a photo, and a second photo of each who has one.

    threshold: within which somebody is like another. limit: how far a photo may be from the
    enrolled one of whom it is given for.
    """

    def __init__(self, people: Sequence[Encodings], threshold: float, limit: float) -> None:
        self.threshold, self.limit = threshold, limit
        enrolled = np.stack([rows[0] for rows in people])
        self._own = np.array([number for number, rows in enumerate(people) if len(rows) > 1])
        self._distances = _between(np.stack([people[n][1] for n in self._own]), enrolled)

    def refused(self, lead: float) -> tuple[float, float, float]:
        """The shares refused: of photos given for whom they show, for the next person, and for
        whoever else looks most like them.

        lead: in thresholds, by how much nearer than to whom it is given for it is to another.
        """
        others = self._distances.copy()
        others[np.arange(len(others)), self._own] = np.inf
        following = (self._own + 1) % self._distances.shape[1]
        given_for = (self._own, following, others.argmin(axis=1))
        good, wrong, alike = (self._share(people, lead) for people in given_for)
        return good, wrong, alike

    def _share(self, people: Places, lead: float) -> float:
        """people: for whom each of the photos is given."""
        places = np.arange(len(people))
        own, others = self._distances[places, people], self._distances.copy()
        others[places, people] = np.inf
        other = others.min(axis=1)
        alike = (other <= self.threshold) & (other + lead * self.threshold < own)
        return float(np.mean(alike | (own > self.limit)))


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
    print(
        f"{len(genuine)} pairs of one person, {len(wrong)} of two; {len(own)} photos against "
        f"{SEVERAL} others"
    )
    confusion_report(rows, encoder.threshold, chosen)


def confusion_report(people: Sequence[Encodings], threshold: float, limit: float) -> None:
    """By the encoder's own threshold, and by one that fits so many people."""
    nearest = nearest_others(people)
    fitted = float(np.quantile(nearest, WARNED))
    second = sum(len(rows) > 1 for rows in people)
    print(
        f"\nWith one photo of each of {len(people)} people enrolled, {second} second photos:\n\n"
        "| threshold | new people warned of | lead in thresholds | good refused | wrong caught | "
        "given for whoever looks most alike: caught |\n|---|---|---|---|---|---|"
    )
    for within, leads in ((threshold, sorted({*LEADS, LEAD})), (fitted, (0.0, LEAD))):
        against, warned = AgainstAll(people, within, limit), float(np.mean(nearest <= within))
        for lead in leads:
            cells = " | ".join(f"{cell:.2%}" for cell in against.refused(lead))
            print(f"| {within:.4g} | {warned:.2%} | {lead:g} | {cells} |")


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
