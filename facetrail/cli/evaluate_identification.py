"""`facetrail evaluate identification`: who is known, and who gets a name who is not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from facetrail.cli.candidates import candidates
from facetrail.cli.json_line import print_json
from facetrail.errors import BadSettings
from facetrail.settings import Settings
from facetrail.wire import Chips
from training.det_curve import Curve, checked_png, curve, save
from training.faces import PhotoChips, encoded
from training.identification import Draw
from training.lfw import photos_of, read_pairs
from training.open_set import (
    ENOUGH_STRANGERS,
    FPIRS,
    OpenSetProtocol,
    OpenSetRow,
    Round,
    evaluated,
    too_few_photos,
)
from training.people import photos_by_person, strangers_in
from training.photos import NAMED, find_chips, photo_detector


def run(
    settings: Settings,
    people: Path,
    strangers: Path,
    *,
    strangers_pairs: Path | None,
    protocol: OpenSetProtocol,
    encoders: list[str],
    mirrored: bool,
    det: Path | None,
    as_json: bool,
) -> None:
    """Prints figures of each encoder. Raises FacetrailError for what stops all of it."""
    target = checked_png(det) if det else None
    by_person = photos_by_person(people)
    pairs = read_pairs(strangers_pairs, strangers) if strangers_pairs else None
    only = photos_of(pairs) if pairs else None
    others = strangers_in(strangers, set(by_person), only)
    too_few_photos(by_person, max(protocol.photos))  # before the minutes that follow
    opened = candidates(settings, encoders, mirrored=mirrored)
    chips, strange = find_faces(settings, by_person, others)
    _check(chips, len(strange), protocol)
    rows: list[OpenSetRow] = []
    curves: list[Curve] = []
    for candidate in opened:
        known = [encoded(own, candidate.encoder) for own in chips.values()]
        row, drawn = evaluated(candidate, known, encoded(strange, candidate.encoder), protocol)
        rows.append(row)
        if as_json:
            print_json(row)
            sys.stdout.flush()
        curves += _curves(row, drawn) if target else []
    if not as_json:
        _print(rows)
    if target:
        save(curves, target, title=f"{len(chips)} people, {len(strange)} strangers")


def find_faces(
    settings: Settings, people: dict[str, list[Path]], strangers: list[Path]
) -> tuple[dict[str, Chips], Chips]:
    """Each person's chips and the strangers'; says on stderr which photos could not be used."""
    known = [photo for photos in people.values() for photo in photos]
    found = find_chips([*known, *strangers], photo_detector(settings), takes_chips=True)
    rows = {path: row for row, path in enumerate(found.paths)}
    chips = {name: _chips(found, rows, photos) for name, photos in people.items()}
    return chips, _chips(found, rows, strangers)


def _chips(found: PhotoChips, rows: dict[Path, int], photos: list[Path]) -> Chips:
    return found.chips[[rows[photo] for photo in photos if photo in rows]]


def _check(people: dict[str, Chips], strangers: int, protocol: OpenSetProtocol) -> None:
    """Says on stderr who is left out and what can't be measured. Raises BadSettings."""
    for photos in protocol.photos:
        if few := too_few_photos(people, photos):
            names = ", ".join(few[:NAMED]) + (", …" if len(few) > NAMED else "")
            print(
                f"{len(few)} people are left out where {photos} photos are enrolled, having no "
                f"more: {names}",
                file=sys.stderr,
            )
    if not strangers:
        raise BadSettings("no face was found in any stranger's photo: name photos of faces")
    if strangers < ENOUGH_STRANGERS:
        print(
            f"an FPIR of {min(FPIRS):.1%} takes {ENOUGH_STRANGERS} strangers, there are "
            f"{strangers}: where they are too few, the figure is for none with a name",
            file=sys.stderr,
        )


def _curves(row: OpenSetRow, drawn: list[list[Draw]]) -> Iterator[Curve]:
    for rank, (one, draws) in enumerate(zip(row.rounds, drawn, strict=True)):
        words = f"{row.encoder}, {one.photos} photo{'' if one.photos == 1 else 's'}"
        yield curve(words, row.encoder, rank, draws, margin=row.margin)


def _print(rows: list[OpenSetRow]) -> None:
    table = Table(box=box.SIMPLE_HEAD, title=_title(rows[0]), show_edge=False, padding=0)
    wanted = [f"{100 * fpir:g}" for fpir in FPIRS]
    rates = f"FNIR, %\nat {wanted[0]}", *(f"\nat {fpir}" for fpir in wanted[1:])
    own = f"threshold\nat {wanted[1]}", "shipped\nFPIR", "\nFNIR"
    for heading in ("encoder", "photos", *rates, *own):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        for one in row.rounds:
            table.add_row(row.encoder, str(one.photos), *_numbers(one))
    Console().print(table)


def _title(row: OpenSetRow) -> str:
    people = row.rounds[0].people
    return f"{people} people, {row.strangers} strangers, {row.draws} draws; FNIR at an FPIR in %"


def _numbers(one: Round) -> list[str]:
    at = [f"{100 * point.fnir:.1f}" for point in one.at]
    if one.shipped is None:
        return [*at, f"{one.at[1].threshold:.3f}"]
    shipped = f"{100 * one.shipped.fpir:.2f}", f"{100 * one.shipped.fnir:.1f}"
    return [*at, f"{one.at[1].threshold:.3f}", *shipped]
