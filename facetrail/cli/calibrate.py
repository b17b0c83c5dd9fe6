"""`facetrail calibrate`: the threshold and margin for a wanted FPIR, from the gallery."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from facetrail.cli.calibration_report import (
    Closest,
    InForce,
    Report,
    Reset,
    Skipped,
    show,
    warnings_of,
)
from facetrail.cli.people import open_gallery
from facetrail.cli.strangers import Strangers, encoded_strangers, owners_in
from facetrail.errors import GalleryError
from facetrail.settings import Settings
from facetrail.store import answered
from facetrail.wire import Encodings
from index.calibration import Calibration
from index.gallery import Gallery
from index.replica import Replica
from training.calibration import Finding, OperatingPoint, calibrated
from workers.encoders.choice import chosen, chosen_encoder
from workers.encoders.own import OwnEncoder
from workers.encoders.registry import Entry


@dataclass(frozen=True, slots=True, eq=False)
class _Measurement:
    """people: by id, the name and the encodings of everyone enrolled."""

    encoder: Entry | OwnEncoder
    before: InForce
    people: Mapping[str, tuple[str, Encodings]]
    strangers: Strangers
    finding: Finding


def run(
    settings: Settings, *, fpir: float, folder: Path | None, dry_run: bool, as_json: bool
) -> None:
    """Measures, stores unless it is a dry run, and prints what was found.

    folder: of strangers, if there is one. Raises FacetrailError; then nothing is stored.
    """
    owners = owners_in(folder) if folder else {}
    gallery = open_gallery(settings)
    with answered(gallery.client):
        measured = _measured(gallery, settings, fpir, owners)
        if not dry_run:
            gallery.calibrate(measured.encoder.id, _calibration(measured.finding.point, fpir))
    show(_report(measured, fpir, stored=not dry_run), as_json=as_json)


def reset(settings: Settings, *, as_json: bool) -> None:
    """The encoder's own threshold and margin hold again. Raises EncoderMismatch, RedisAway."""
    gallery = open_gallery(settings)
    with answered(gallery.client):
        encoder = chosen(gallery.encoder, settings)
        before = _in_force(gallery, encoder)
        removed = gallery.reset_calibration(encoder.id)
    done = Reset(
        encoder=encoder.id,
        threshold=encoder.threshold,
        margin=encoder.margin,
        before=before,
        reset=removed,
    )
    show(done, as_json=as_json)


def _measured(
    gallery: Gallery, settings: Settings, fpir: float, owners: Mapping[Path, Path]
) -> _Measurement:
    encoder = chosen(gallery.encoder, settings)
    people = _people(gallery, encoder.id)
    strangers = Strangers()
    if owners and len(people) > 1:
        opened = chosen_encoder(gallery.encoder, settings)
        strangers = encoded_strangers(owners, gallery, opened, settings)
    own = OperatingPoint(encoder.threshold, encoder.margin)
    enrolled = [encodings for _, encodings in people.values()]
    finding = calibrated(enrolled, strangers.encodings, fpir=fpir, own=own)
    return _Measurement(encoder, _in_force(gallery, encoder), people, strangers, finding)


def _people(gallery: Gallery, encoder: str) -> dict[str, tuple[str, Encodings]]:
    """As a worker sees them."""
    replica = Replica(gallery.client, gallery.keys, worker=None, encoder=encoder)
    replica.load()
    encodings = replica.encodings()
    names = replica.view.people.those(encodings)
    return {person: (names[person].name, encodings[person]) for person in names}


def _in_force(gallery: Gallery, encoder: Entry | OwnEncoder) -> InForce:
    try:
        found = gallery.calibration(encoder.id)
    except GalleryError:  # workers can't read it either
        found = None
    if found is None:
        return InForce(encoder.threshold, encoder.margin)
    return InForce(found.threshold, found.margin, found.calibrated_at)


def _calibration(point: OperatingPoint, fpir: float) -> Calibration:
    return Calibration(
        threshold=point.threshold,
        margin=point.margin,
        fpir=fpir,
        calibrated_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _report(measured: _Measurement, fpir: float, *, stored: bool) -> Report:
    finding, strangers = measured.finding, measured.strangers
    closest = _closest(measured)
    return Report(
        encoder=measured.encoder.id,
        threshold=finding.point.threshold,
        margin=finding.point.margin,
        wanted_fpir=fpir,
        fpir=finding.fpir,
        fnir=finding.fnir,
        people=len(measured.people),
        strangers=len(strangers.encodings),
        trials=finding.trials,
        independent_trials=finding.independent,
        needed_trials=finding.needed,
        supported_fpir=finding.supported,
        enough=finding.enough,
        known=finding.known,
        closest=closest,
        before=measured.before,
        skipped=[Skipped(path, bad.reason, str(bad)) for path, bad in strangers.skipped],
        stored=stored,
        warnings=warnings_of(finding, fpir, closest, measured.encoder.threshold),
    )


def _closest(measured: _Measurement) -> Closest:
    """By name, or by photo where the stranger has no name."""
    people, closest = list(measured.people.values()), measured.finding.closest
    probes = [name for name, rows in people for _ in rows]
    probes += measured.strangers.paths
    return Closest(probes[closest.probe], people[closest.person][0], closest.distance)
