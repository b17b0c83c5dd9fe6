"""`facetrail enroll`: people from photos."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import track

from facetrail.cli.people import open_gallery
from facetrail.errors import BadSettings
from facetrail.settings import Settings
from facetrail.store import answered
from index.enrolment import Enroller, Enrolment, photos_in
from ingest.faces.detect import open_detector
from workers.encoders.choice import chosen_encoder


class Refusal(msgspec.Struct, frozen=True):
    """A photo that was not taken, as `--json` prints it."""

    photo: str
    reason: str
    sentence: str


class Outcome(msgspec.Struct, frozen=True):
    """What became of one person, as `--json` prints it."""

    name: str
    id: str | None
    accepted: list[str]
    rejected: list[Refusal]


def run(
    settings: Settings, name: str | None, photos: list[Path], folder: Path | None, *, as_json: bool
) -> bool:
    """Enrols one person or a folder of them; False where somebody could not be.

    Raises FacetrailError for what stops all of it.
    """
    work = [(name, photos)] if name is not None else list(people_in(folder or Path()))
    gallery = open_gallery(settings)
    with answered(gallery.client):
        encoder = chosen_encoder(gallery.encoder, settings)
        detector = open_detector(
            settings.detector,
            width=settings.photo_width,
            score=settings.detection_score,
            threads=settings.detector_threads,
            **settings.models,
        )
        enroller = Enroller(gallery, detector, encoder, min_face=settings.photo_min_face)
        shown = track(work, "Enrolling", console=Console(stderr=True), transient=True)
        outcomes = [(name, enroller.enrol(name, paths)) for name, paths in shown]
    for name, enrolment in outcomes:
        _print(name, enrolment, as_json=as_json)
    return all(is_enrolled(enrolment) for _, enrolment in outcomes)


def people_in(folder: Path) -> Iterator[tuple[str, list[Path]]]:
    """Names and photos of a folder that has a folder per person. Raises BadSettings."""
    if not folder.is_dir():
        raise BadSettings(f"{folder} is not a folder: name one with a folder of photos per person")
    found = False
    for person in sorted(path for path in folder.iterdir() if path.is_dir()):
        if photos := photos_in(person):
            found = True
            yield person.name, photos
    if not found:
        raise BadSettings(
            f"{folder} has no folder with photos: put each person's into a folder of their name"
        )


def is_enrolled(enrolment: Enrolment) -> bool:
    """Whether the person is in the gallery now; photos that were there before do no harm."""
    return bool(enrolment.accepted) or all(
        rejected.reason == "duplicate_photo" for rejected in enrolment.rejected
    )


def _print(name: str, enrolment: Enrolment, *, as_json: bool) -> None:
    if as_json:
        outcome = Outcome(
            name,
            enrolment.person.id if enrolment.person else None,
            [str(path) for path in enrolment.accepted],
            [Refusal(str(r.path), r.reason, r.sentence) for r in enrolment.rejected],
        )
        sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")
        return
    count = len(enrolment.accepted)
    print(f"{name}: {count} photo{'' if count == 1 else 's'} accepted")
    for rejected in enrolment.rejected:
        print(f"  {rejected.reason}: {rejected.sentence}", file=sys.stderr)
