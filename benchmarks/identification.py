"""Open-set identification by each encoder: twelve people enrolled, strangers come by.

python -m benchmarks.identification --chips celebs --images lfw/images --pairs lfw/pairs.txt

Of each enrolled person some photos are drawn at random and enrolled, all others are looked
up. Strangers are the photos of the pairs, without those of people who are enrolled.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from facetrail import log
from facetrail.settings import read_settings
from facetrail.wire import Encodings
from ingest.faces.detect import open_detector
from training.faces import central_chips, encoded, read_photo
from training.identification import Rates, look_up, rates, threshold_for
from training.lfw import read_pairs
from workers.encoders.registry import ENTRIES, Entry, open_encoder

FPIR = 0.01
ENROLLED = (1, 5)  # photos of each person
MARGINS = (0.0, 0.02, 0.05, 0.1)
DRAWS = 20


def strangers_of(pairs: Path, images: Path, enrolled: set[str]) -> list[Path]:
    """The photos of the pairs of everyone who is not enrolled."""
    photos = {photo for pair in read_pairs(pairs, images) for photo in (pair.first, pair.second)}
    return sorted(photo for photo in photos if photo.parent.name.casefold() not in enrolled)


def drawn(
    people: list[Encodings], photos: int, seed: int
) -> tuple[list[Encodings], Encodings, list[int]]:
    """The enrolled photos of each person, all others, and whose those are."""
    random = np.random.default_rng(seed)
    shuffled = [rows[random.permutation(len(rows))] for rows in people]
    probes = [rows[photos:] for rows in shuffled]
    truth = [person for person, rows in enumerate(probes) for _ in rows]
    return [rows[:photos] for rows in shuffled], np.concatenate(probes), truth


def draws(
    people: list[Encodings], strangers: Encodings, photos: int, entry: Entry
) -> Iterator[list[Rates]]:
    """For each draw the rates at each margin, and last those of the registry's own values."""
    for seed in range(DRAWS):
        enrolled, probes, whose = drawn(people, photos, seed)
        known, others = look_up(probes, enrolled), look_up(strangers, enrolled)
        judged = [(threshold_for(FPIR, others, margin=margin), margin) for margin in MARGINS]
        yield [
            rates(known, np.array(whose), others, threshold=threshold, margin=margin)
            for threshold, margin in (*judged, (entry.threshold, entry.margin))
        ]


def report(people: list[Encodings], strangers: Encodings, entry: Entry) -> None:
    for photos in ENROLLED:
        columns = list(zip(*draws(people, strangers, photos, entry), strict=True))
        for margin, column in zip((*MARGINS, entry.margin), columns, strict=True):
            mean = np.mean([(one.threshold, one.fpir, one.fnir) for one in column], axis=0)
            own = " (registry)" if column is columns[-1] else ""
            print(
                f"  {photos} enrolled, margin {margin:.2f}: threshold {mean[0]:.3f}{own}, "
                f"FPIR {mean[1]:.2%}, FNIR {mean[2]:.2%}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description="Open-set identification by each encoder.")
    parser.add_argument("--chips", type=Path, required=True, help="aligned, a folder per person")
    parser.add_argument("--images", type=Path, required=True, help="photos, a folder per person")
    parser.add_argument("--pairs", type=Path, required=True, help="a pairs file of --images")
    given = parser.parse_args()
    settings = read_settings()
    log.configure(level=settings.log_level)
    folders = sorted(given.chips.iterdir())
    chips = [
        np.stack([read_photo(path) for path in sorted(folder.iterdir())]) for folder in folders
    ]
    photos = strangers_of(given.pairs, given.images, {folder.name for folder in folders})
    detector = open_detector("centerface", threads=2, **settings.models)
    _, others = central_chips(photos, detector)
    print(f"{len(chips)} people of {sum(map(len, chips))} photos, {len(others)} strangers")
    for entry in ENTRIES:
        encoder = open_encoder(entry.name, precision=settings.encoder_precision, **settings.models)
        print(f"{encoder.id}:")
        report([encoded(own, encoder) for own in chips], encoded(others, encoder), entry)


if __name__ == "__main__":
    main()
