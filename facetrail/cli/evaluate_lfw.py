"""`facetrail evaluate lfw`: verification of pairs of photos."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from facetrail.cli.candidates import candidates
from facetrail.cli.json_line import print_json
from facetrail.settings import Settings
from facetrail.wire import Chips
from ingest.faces.detect import DetectorName
from training.candidates import Candidate
from training.faces import Crop, PhotoChips, aligned, encoded, unaligned
from training.lfw import Pair, Verification, in_folds, photos_of, read_pairs, verify
from training.photos import find_chips, photo_detector

Chipped = tuple[str, Chips]


class LfwRow(msgspec.Struct, frozen=True):
    """One encoder on one kind of chips, as `--json` prints it; see `training.lfw`."""

    encoder: str
    id: str
    chips: str
    accuracy: float
    deviation: float
    threshold: float
    auc: float
    eer: float
    tar: dict[str, float]
    folds: list[int]
    pairs: int
    undecided: int
    faces_per_s: float


def run(
    settings: Settings,
    images: Path,
    pairs: Path,
    *,
    encoders: list[str],
    folds: set[int] | None,
    detector: DetectorName | None,
    mirrored: bool,
    with_unaligned: bool,
    as_json: bool,
) -> None:
    """Prints a row for each encoder. Raises FacetrailError for what stops all of it."""
    read = read_pairs(pairs, images)
    chosen = in_folds(read, folds) if folds else read
    photos = photos_of(chosen)
    opened = candidates(settings, encoders, mirrored=mirrored)
    crops: dict[str, Crop] = {"unaligned": unaligned} if with_unaligned else {}
    crops["aligned"] = aligned
    found = find_chips(photos, photo_detector(settings, detector), tuple(crops.values()))
    rows = []
    for candidate in opened:
        for chipped in zip(crops, found.crops, strict=True):
            rows.append(row_of(candidate, chosen, found, chipped))
            if as_json:
                print_json(rows[-1])
                sys.stdout.flush()
    if not as_json:
        _print(rows)


def row_of(candidate: Candidate, pairs: list[Pair], found: PhotoChips, chipped: Chipped) -> LfwRow:
    """chipped: the kind of chips, and those of `found` of that kind."""
    kind, chips = chipped
    began = time.perf_counter()
    encodings = encoded(chips, candidate.encoder)
    speed = len(chips) / (time.perf_counter() - began)
    figures = verify(pairs, dict(zip(found.paths, encodings, strict=True)))
    return _row(candidate, figures, pairs, kind, speed)


def _row(
    candidate: Candidate, figures: Verification, pairs: list[Pair], kind: str, speed: float
) -> LfwRow:
    return LfwRow(
        encoder=candidate.name,
        id=candidate.encoder.id,
        chips=kind,
        accuracy=figures.accuracy,
        deviation=figures.deviation,
        threshold=figures.threshold,
        auc=figures.auc,
        eer=figures.eer,
        tar={"1e-2": figures.tar[1e-2], "1e-3": figures.tar[1e-3]},
        folds=sorted({pair.fold + 1 for pair in pairs}),
        pairs=figures.pairs,
        undecided=figures.undecided,
        faces_per_s=round(speed, 1),
    )


def _print(rows: list[LfwRow]) -> None:
    table = Table(box=box.SIMPLE_HEAD, title=_title(rows[0]), show_edge=False, padding=0)
    for heading in (
        "encoder",
        "chips",
        "accuracy, %",
        "AUC",
        "EER, %",
        "TAR, %\nat 1e-2",
        "\n1e-3",
    ):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        table.add_row(
            row.encoder,
            row.chips,
            f"{100 * row.accuracy:.2f} ± {100 * row.deviation:.2f}",
            f"{row.auc:.4f}",
            f"{100 * row.eer:.2f}",
            *(f"{100 * rate:.2f}" for rate in row.tar.values()),
        )
    Console().print(table)


def _title(row: LfwRow) -> str:
    folds = ", ".join(map(str, row.folds))
    words = f"{row.pairs} pairs, fold{'s' if len(row.folds) > 1 else ''} {folds}"
    return f"{words}; {row.undecided} lack a face and count as wrong"
