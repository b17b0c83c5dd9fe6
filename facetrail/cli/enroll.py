"""`facetrail enroll`: people from photos, folders and zips."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from facetrail.cli.enroll_report import Report
from facetrail.cli.people import open_gallery
from facetrail.cli.sighted import chip_of, sighting_said
from facetrail.errors import BadPicture, BadSettings
from facetrail.settings import Settings
from facetrail.store import answered
from index.enrolment import Enroller
from index.gallery import Gallery
from index.person import checked_name
from index.photos.detectors import Detectors
from index.photos.photo_source import AlignedChip, PhotoFile, Source, Unreadable, Work
from index.photos.portrait import count_deeper, folders_of, photos_in
from index.photos.zip_photos import ZipPhotos
from index.shown import shown
from ingest.faces.detect import in_photos, open_detector
from ingest.faces.face import Detector
from training.photos import photo_detector
from workers.encoders.choice import chosen_encoder

#: Photos looked at together, at most: each may take some 300 MB while it is decoded.
MOST_THREADS = 8


@dataclass(frozen=True, slots=True)
class Given:
    """What is to be enrolled: photos and events of one person, or who is in a folder or a zip."""

    name: str | None = None
    photos: Sequence[Path] = ()
    events: Sequence[str] = ()
    folder: Path | None = None
    archive: Path | None = None


@dataclass(frozen=True, slots=True)
class FolderPhotos:
    """The photos in a folder, looked for when it is their turn."""

    folder: Path

    def __iter__(self) -> Iterator[Path | Source]:
        return iter(photos_in(self.folder))


def run(settings: Settings, given: Given, *, trust: bool, as_json: bool) -> bool:
    """Enrols one person or many; False where somebody could not be, or Ctrl-C ended it.

    Raises FacetrailError for what stops all of it.
    """
    with ExitStack() as opened:
        people = _people(given, opened)
        gallery = open_gallery(settings)
        opened.enter_context(answered(gallery.client))
        people = [_with_events(work, given.events, gallery) for work in people]
        enroller = _enroller(gallery, settings, trust=trust, many=len(people) > 1)
        return _enrol(enroller, people, as_json=as_json)


def _enrol(enroller: Enroller, people: list[Work], *, as_json: bool) -> bool:
    report = Report(len(people), as_json=as_json)
    with closing(enroller.enrol_all(people)) as enrolments, _bar(len(people)) as bar:
        try:
            for enrolment in bar.track(enrolments, len(people), description="Enrolling"):
                report.tell(enrolment)
        except KeyboardInterrupt:
            report.stopped()
    report.end()
    return report.everyone


def _with_events(work: Work, events: Sequence[str], gallery: Gallery) -> Work:
    """Whose photos are also the pictures of these events. Raises GalleryError."""
    chips: list[Source] = []
    for said in events:
        kept = sighting_said(gallery.client, gallery.keys, said)
        chip = chip_of(gallery.client, gallery.keys, kept).chip
        chips.append(AlignedChip(kept.sighting.source, chip, kept.sighting.quality))
    return replace(work, photos=[*work.photos, *chips]) if chips else work


def _bar(people: int) -> Progress:
    """On a terminal, for several people, on stderr; gone in the end."""
    console = Console(stderr=True)
    return Progress(
        console=console,
        transient=True,
        disable=not console.is_terminal or people < 2,
        # What goes to a file or a pipe stays out of the bar's hands.
        redirect_stdout=sys.stdout.isatty(),
    )


def _people(given: Given, opened: ExitStack) -> list[Work]:
    """Raises BadSettings, GalleryError and BadPicture; then nothing was changed."""
    if given.folder is not None:
        people = people_in(given.folder)
        _tell_of_loose(shown(given.folder), len(photos_in(given.folder)) + _deeper(given.folder))
        return people
    if given.archive is not None:
        return _people_in_zip(opened.enter_context(ZipPhotos(given.archive)))
    photos = [source for path in given.photos for source in _sources(path, opened)]
    return [Work(checked_name(given.name or ""), photos)]


def people_in(folder: Path) -> list[Work]:
    """Names and photos of a folder with a folder per person. Raises BadSettings, GalleryError."""
    folders = folders_of(folder)
    found = [Work(checked_name(own.name), FolderPhotos(own)) for own in folders]
    if not any(photos_in(own) for own in folders):
        raise BadSettings(
            f"{shown(folder)} has no folder with photos: put each person's right into a folder of "
            "their name"
        )
    return found


def _deeper(folder: Path) -> int:
    """How many photos lie in folders within a person's: whose they are is not clear."""
    return sum(count_deeper(own) for own in folders_of(folder))


def _people_in_zip(archive: ZipPhotos) -> list[Work]:
    people = archive.people()
    _tell_of_loose(archive.name, archive.loose())
    return [Work(checked_name(name), photos) for name, photos in people.items()]


def _tell_of_loose(name: str, count: int) -> None:
    if count:
        print(
            f"{name}: {count} left out, not right in a person's folder; move them into one",
            file=sys.stderr,
        )


def _sources(path: Path, opened: ExitStack) -> Sequence[Source]:
    """A photo, or all those in a zip."""
    if path.suffix.lower() != ".zip":
        return [PhotoFile(path)]
    try:
        return opened.enter_context(ZipPhotos(path)).photos()
    except BadPicture as error:
        return [Unreadable(shown(path), error)]


def _enroller(gallery: Gallery, settings: Settings, *, trust: bool, many: bool) -> Enroller:
    """Raises BadModelFile, EncoderMismatch."""
    encoder = chosen_encoder(gallery.encoder, settings)
    threads = min(MOST_THREADS, settings.threads or len(os.sched_getaffinity(0))) if many else 1
    return Enroller(
        gallery,
        photo_detector(settings) if threads == 1 else _detectors(settings, threads),
        encoder,
        min_face=settings.photo_min_face,
        min_sharpness=settings.photo_min_sharpness,
        max_yaw=settings.photo_max_yaw,
        trust=trust,
        threads=threads,
    )


def _detectors(settings: Settings, count: int) -> Detector:
    """One that so many threads may use. Raises BadModelFile."""
    return Detectors(
        open_detector(
            in_photos(settings.detector),
            width=settings.photo_width,
            score=settings.detection_score,
            **settings.models,
        )
        for _ in range(count)
    )
