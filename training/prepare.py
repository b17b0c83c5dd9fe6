"""Folders of photos become labelled chips, once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog

from index.portrait import photos_in
from ingest.faces.face import Detector
from training.aside import written_aside
from training.faces import chips_of
from training.labelled import LabelledChips
from training.people import folders_of, spelled
from training.plan import UNNAMED

NAMED_AT_MOST = 10  # photos that are no use, in the log

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Photos:
    """What to train on. people: photos by name. unnamed: nobody's."""

    people: dict[str, list[Path]]
    unnamed: list[Path]

    def listed(self) -> Iterator[tuple[int, Path]]:
        """Each photo and its label: its person's place among the names."""
        for label, photos in enumerate(self.people.values()):
            yield from ((label, photo) for photo in photos)
        yield from ((UNNAMED, photo) for photo in self.unnamed)

    @property
    def digest(self) -> str:
        """Changes with every name, photo, size and time of change."""
        hashed = hashlib.sha256()
        for label, photo in self.listed():
            seen = photo.stat()
            hashed.update(f"{label} {photo} {seen.st_size} {seen.st_mtime_ns}\n".encode())
        return hashed.hexdigest()


def gathered(
    folders: Sequence[Path], unnamed: Sequence[Path], left_out: Iterable[str] = ()
) -> Photos:
    """The photos of folders with a folder per person, and of folders without names.

    The same name in two folders is one person; names are the same whose case differs, or `_`
    for a space. Raises BadSettings if a folder is not there.
    """
    gone = {spelled(name) for name in left_out}
    people: dict[str, list[Path]] = {}
    for folder in folders:
        for person in folders_of(folder):
            name = spelled(person.name)
            if name not in gone:
                people.setdefault(name, []).extend(photos_in(person))
    people = {name: photos for name, photos in sorted(people.items()) if photos}
    nobodys = [photo for folder in unnamed for photo in _all_photos(folder)]
    return Photos(people, nobodys)


def _all_photos(folder: Path) -> list[Path]:
    return [*photos_in(folder), *(p for inner in folders_of(folder) for p in photos_in(inner))]


def prepared(photos: Photos, detector: Detector, cache: Path) -> LabelledChips:
    """The chips of the photos, from the file that an earlier run made of the same ones.

    A photo that can't be read or shows no face is named, counted and skipped. Raises
    TrainingStopped if the file can't be written.
    """
    digest = photos.digest
    if cache.is_file():
        with np.load(cache) as saved:
            if str(saved["digest"]) == digest:
                return LabelledChips(saved["chips"], saved["labels"])
    listed = list(photos.listed())
    found = chips_of((photo for _, photo in listed), detector, takes_chips=True)
    skipped = [*found.unreadable, *found.without_face]
    for error in skipped[:NAMED_AT_MOST]:
        log.warning("photo skipped", cause=str(error))
    log.info("photos are prepared", used=len(found.paths), skipped=len(skipped))
    kept = set(found.paths)
    labels = np.array([label for label, photo in listed if photo in kept], np.int64)
    with written_aside(cache) as aside, aside.open("wb") as file:
        np.savez(file, digest=digest, chips=found.chips, labels=labels)
    return LabelledChips(found.chips, labels)
