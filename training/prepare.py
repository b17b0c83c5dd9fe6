"""Folders of photos become labelled chips, once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import structlog

from index.photos.portrait import folders_of, photos_in
from ingest.faces.face import Detector
from training.aside import written_aside
from training.faces import chips_of
from training.labelled import LabelledChips
from training.people import photos_but, spelled
from training.photos import with_bar
from training.plan import UNNAMED

NAMED_AT_MOST = 10  # photos that are no use, in the log

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Photos:
    """What to train on.

    people: photos by name. unnamed: nobody's. detection: how faces are found in them.
    """

    people: dict[str, list[Path]]
    unnamed: list[Path]
    detection: str = ""

    def listed(self) -> Iterator[tuple[int, Path]]:
        """Each photo and its label: its person's place among the names."""
        for label, photos in enumerate(self.people.values()):
            yield from ((label, photo) for photo in photos)
        yield from ((UNNAMED, photo) for photo in self.unnamed)

    @cached_property
    def digest(self) -> str:
        """Changes with every name and photo; not where all of them lie elsewhere."""
        hashed = hashlib.sha256(repr((self.detection, list(self.people))).encode())
        for label, photo in self.listed():
            with photo.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            hashed.update(f"{label} {photo.name} {content}\n".encode())
        return hashed.hexdigest()


def gathered(
    folders: Sequence[Path],
    unnamed: Sequence[Path],
    left_out: Iterable[str] = (),
    *,
    detection: str = "",
) -> Photos:
    """The photos of folders with a folder per person, and of folders without names.

    The same name in two folders is one person; names are the same whose case differs, or `_`
    for a space. left_out: whose folders are passed over, in both kinds. Raises BadSettings if a
    folder is not there.
    """
    gone = {spelled(name) for name in left_out}
    people: dict[str, list[Path]] = {}
    for folder in folders:
        for person in folders_of(folder):
            name = spelled(person.name)
            if name not in gone:
                people.setdefault(name, []).extend(photos_in(person))
    people = {name: photos for name, photos in sorted(people.items()) if photos}
    nobodys = [photo for folder in unnamed for photo in photos_but(folder, gone)]
    return Photos(people, nobodys, detection)


def prepared(photos: Photos, detector: Detector, cache: Path) -> LabelledChips:
    """The chips of the photos, from the file that an earlier run made of the same ones.

    A photo that can't be read or shows no face is named, counted and skipped. Raises
    TrainingStopped if the file can't be written.
    """
    digest = photos.digest
    if (saved := _saved(cache, digest)) is not None:
        return saved
    listed = list(photos.listed())
    found = chips_of(with_bar([photo for _, photo in listed]), detector, takes_chips=True)
    skipped = [*found.unreadable, *found.without_face]
    for error in skipped[:NAMED_AT_MOST]:
        log.warning("photo skipped", cause=str(error))
    log.info("photos are prepared", used=len(found.paths), skipped=len(skipped))
    kept = set(found.paths)
    labels = np.array([label for label, photo in listed if photo in kept], np.int64)
    with written_aside(cache) as aside, aside.open("wb") as file:
        np.savez(file, digest=digest, chips=found.chips, labels=labels)
    return LabelledChips(found.chips, labels)


def _saved(cache: Path, digest: str) -> LabelledChips | None:
    """What an earlier run kept of the same photos; None where that can't be had."""
    try:
        with cache.open("rb") as file, np.load(file) as saved:
            if str(saved["digest"]) == digest:
                return LabelledChips(saved["chips"], saved["labels"])
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        log.warning("prepared photos can't be read, so they are prepared anew", error=str(error))
    return None
