"""`facetrail enroll`: people from photos."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from facetrail.cli.people import open_gallery
from facetrail.errors import BadSettings
from facetrail.settings import Settings
from facetrail.store import answered
from index.enrolment import Enroller, Enrolment
from index.gallery import Gallery, checked_name
from index.portrait import folders_of, photos_in
from training.photos import photo_detector, with_bar
from workers.encoders.choice import chosen_encoder

Work = tuple[str, list[Path]]


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
    work = people_in(folder) if folder else [(checked_name(name or ""), photos)]
    gallery = open_gallery(settings)
    everyone = True
    with answered(gallery.client):
        enroller = _enroller(gallery, settings)
        for name, paths in with_bar(work, "Enrolling"):
            enrolment = enroller.enrol(name, paths)
            _print(name, enrolment, as_json=as_json)
            everyone &= is_enrolled(enrolment)
    return everyone


def _enroller(gallery: Gallery, settings: Settings) -> Enroller:
    """Raises BadModelFile, EncoderMismatch."""
    encoder = chosen_encoder(gallery.encoder, settings)
    return Enroller(gallery, photo_detector(settings), encoder, min_face=settings.photo_min_face)


def people_in(folder: Path) -> list[Work]:
    """Names and photos of a folder with a folder per person. Raises BadSettings, GalleryError."""
    found = [(checked_name(person.name), photos_in(person)) for person in folders_of(folder)]
    if not any(photos for _, photos in found):
        raise BadSettings(
            f"{folder} has no folder with photos: put each person's into a folder of their name"
        )
    return found


def is_enrolled(enrolment: Enrolment) -> bool:
    """Whether the person is in the gallery by one of these photos, now or since before."""
    return bool(enrolment.accepted) or any(rejected.own for rejected in enrolment.rejected)


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
    print(f"{name}: {_counts(enrolment)}")
    if not enrolment.accepted and not enrolment.rejected:
        print("  no_photo: no file is called like a picture; put some there", file=sys.stderr)
    for rejected in enrolment.rejected:
        if not rejected.own:
            print(f"  {rejected.reason}: {rejected.sentence}", file=sys.stderr)


def _counts(enrolment: Enrolment) -> str:
    """Such as `1 photo accepted, 2 enrolled before`."""
    new, before = len(enrolment.accepted), sum(rejected.own for rejected in enrolment.rejected)
    if before and not new:
        return f"{_photos(before)} enrolled before"
    return f"{_photos(new)} accepted" + (f", {before} enrolled before" if before else "")


def _photos(count: int) -> str:
    return f"{count} photo{'' if count == 1 else 's'}"
