"""The figures of every encoder on this machine: into figures.json, and as tables for documents.

    python -m benchmarks.figures --images lfw/images --pairs lfw/pairs.txt --people celebs

Each photo is encoded once by each encoder. What is evaluated is what `facetrail evaluate` does,
with all folds of the pairs, all people and, as strangers, all photos of the pairs; but for an
encoder trained here only with what it has not seen, and the others once more with just that.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facetrail import log
from facetrail.settings import Settings, read_settings
from facetrail.wire import Encodings
from training.candidates import Candidate, names_on_disk, open_candidate, with_mirrored
from training.faces import PhotoChips, encoded
from training.lfw import Pair, Verification, in_folds, photos_of, read_pairs, verify
from training.open_set import OpenSetProtocol, OpenSetRow, Point, evaluated
from training.people import photos_by_person, strangers_in
from training.photos import find_chips, photo_detector
from workers.encoders.own import MIRRORED

FIGURES = Path(__file__).parents[1] / "workers" / "encoders" / "figures.json"
FPIR = 0.01
PROTOCOL = OpenSetProtocol([1, 5])


@dataclass(frozen=True, slots=True)
class Unseen:
    """What an encoder was not trained on: folds of the pairs, counted from 1, and people."""

    folds: frozenset[int]
    people: frozenset[str]


UNSEEN = {
    "nn4_small2": Unseen(
        frozenset({5}),
        frozenset(
            {
                "barack_obama",
                "daniel_radcliffe",
                "keanu_reeves",
                "keira_knightley",
                "leonardo_dicaprio",
                "lindsay_lohan",
            }
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Share:
    """What is evaluated on. people: photos of each. strangers: photos."""

    pairs: list[Pair]
    people: dict[str, list[Path]]
    strangers: list[Path]

    @classmethod
    def of(cls, pairs: list[Pair], people: dict[str, list[Path]], images: Path) -> Share:
        return cls(pairs, people, strangers_in(images, people, set(photos_of(pairs))))

    def unseen(self, part: Unseen, images: Path) -> Share:
        people = {name: own for name, own in self.people.items() if name in part.people}
        return Share.of(in_folds(self.pairs, set(part.folds)), people, images)


@dataclass(frozen=True, slots=True)
class Figures:
    """An encoder's figures on a share."""

    name: str
    lfw: Verification
    open_set: OpenSetRow
    folds: list[int]

    def json(self) -> dict[str, Any]:
        """As figures.json holds them, rounded to what they can carry."""
        tar = {"1e-2": round(self.lfw.tar[1e-2], 4), "1e-3": round(self.lfw.tar[1e-3], 4)}
        names = ("accuracy", "deviation", "auc", "eer")
        return {
            "lfw": {name: round(getattr(self.lfw, name), 4) for name in names}
            | {"tar": tar, "folds": self.folds},
            "identification": {
                str(one.photos): {
                    "fpir": FPIR,
                    "fnir": round(_at(one.at).fnir, 4),
                    "threshold": round(_at(one.at).threshold, 3),
                    "people": one.people,
                    "strangers": self.open_set.strangers,
                }
                for one in self.open_set.rounds
            },
        }


def _at(points: list[Point]) -> Point:
    return next(point for point in points if point.wanted == FPIR)


def figures_of(candidate: Candidate, encodings: dict[Path, Encodings], share: Share) -> Figures:
    people = [_stacked(encodings, photos) for photos in share.people.values()]
    strangers = _stacked(encodings, share.strangers)
    row, _ = evaluated(candidate, people, strangers, PROTOCOL)
    folds = sorted({pair.fold + 1 for pair in share.pairs})
    return Figures(candidate.name, verify(share.pairs, encodings), row, folds)


def _stacked(encodings: dict[Path, Encodings], photos: Sequence[Path]) -> Encodings:
    return np.stack([encodings[photo] for photo in photos if photo in encodings])


def verification_table(figures: Sequence[Figures]) -> str:
    lines = ["| encoder | accuracy | AUC | EER | TAR at FAR 1e-2 | at 1e-3 |", "|---|" + "---|" * 5]
    for one in figures:
        own = one.lfw
        lines.append(
            f"| `{one.name}` | {own.accuracy:.2%} ± {100 * own.deviation:.2f} | {own.auc:.4f} | "
            f"{own.eer:.2%} | {own.tar[1e-2]:.2%} | {own.tar[1e-3]:.2%} |"
        )
    return "\n".join(lines)


def identification_table(figures: Sequence[Figures]) -> str:
    lines = [
        "| encoder | photos each | FNIR at FPIR 0.3 % | at 1 % | at 10 % | threshold at 1 % | "
        "as shipped: threshold, margin | FPIR | FNIR |",
        "|---|" + "---|" * 8,
    ]
    for one in figures:
        for own in one.open_set.rounds:
            rates = " | ".join(f"{point.fnir:.1%}" for point in own.at)
            shipped = " | | "
            if (ship := own.shipped) is not None:
                shipped = f"{ship.threshold}, {ship.margin} | {ship.fpir:.2%} | {ship.fnir:.1%}"
            lines.append(
                f"| `{one.name}` | {own.photos} | {rates} | {_at(own.at).threshold:.3f} | "
                f"{shipped} |"
            )
    return "\n".join(lines)


def write(figures: Sequence[Figures], to: Path) -> None:
    """Puts these in for what the file has of the same encoders; written aside and renamed."""
    there = json.loads(to.read_text()) if to.is_file() else {}
    there |= {one.name: one.json() for one in figures}
    aside = to.with_name(f".{to.name}")
    aside.write_text(json.dumps(there, indent=2, sort_keys=True) + "\n")
    aside.replace(to)


def report(whole: Sequence[Figures], unseen: dict[str, list[Figures]]) -> None:
    if whole:
        print(f"\n{verification_table(whole)}\n\n{identification_table(whole)}")
    for name, figures in unseen.items():
        print(f"\nOnly with what `{name}` has not seen:")
        print(f"\n{verification_table(figures)}\n\n{identification_table(figures)}")


def run(settings: Settings, given: argparse.Namespace) -> None:
    people = photos_by_person(given.people)
    whole = Share.of(read_pairs(given.pairs, given.images), people, given.images)
    shares = {name: whole.unseen(part, given.images) for name, part in UNSEEN.items()}
    photos = [*photos_of(whole.pairs), *(photo for own in people.values() for photo in own)]
    names, missing = names_on_disk(settings)
    names = given.encoder or (list(with_mirrored(names)) if given.mirrored else names)
    print(f"not on this machine: {', '.join(missing) or 'none'}")
    opened = [open_candidate(name, settings) for name in names]
    found: PhotoChips = find_chips(photos, photo_detector(settings), takes_chips=True)
    print(f"a face in {len(found.paths)} of {len(photos)} photos")
    of_all: list[Figures] = []
    of_unseen: dict[str, list[Figures]] = {name: [] for name in shares}
    for candidate in opened:
        encodings = dict(zip(found.paths, encoded(found.chips, candidate.encoder), strict=True))
        for name, share in shares.items():
            of_unseen[name].append(figures_of(candidate, encodings, share))
        trained_on = candidate.name.removesuffix(MIRRORED)
        if trained_on not in UNSEEN:
            of_all.append(figures_of(candidate, encodings, whole))
        own = of_unseen[trained_on] if trained_on in UNSEEN else of_all
        write(own[-1:], given.to)
    report(of_all, of_unseen)


def main() -> None:
    parser = argparse.ArgumentParser(description="The figures of every encoder on this machine.")
    parser.add_argument("--images", type=Path, required=True, help="a folder per person")
    parser.add_argument("--pairs", type=Path, required=True, help="LFW's pairs file")
    parser.add_argument("--people", type=Path, required=True, help="enrolled; a folder per person")
    parser.add_argument("--encoder", action="append", help="only this one; may be said again")
    parser.add_argument("--mirrored", action="store_true", help="also with mirrored chips")
    parser.add_argument("--to", type=Path, default=FIGURES)
    settings = read_settings()
    log.configure(level=settings.log_level)
    run(settings, parser.parse_args())


if __name__ == "__main__":
    main()
