"""Where photos come from: files, members of a zip, chips that a camera made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from facetrail.errors import BadPicture
from facetrail.wire import Quality
from index.photos.portrait import read
from index.shown import shown


class PhotoSource(Protocol):
    """A photo that can be read, and its name: to show, and to keep with it."""

    @property
    def name(self) -> str: ...

    @property
    def kept_as(self) -> str: ...

    def read(self) -> bytes:
        """The bytes of the file. Raises BadPicture."""
        ...


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A photo on disk."""

    path: Path

    @property
    def name(self) -> str:
        return shown(self.path)

    @property
    def kept_as(self) -> str:
        return shown(self.path.name)

    def read(self) -> bytes:
        return read(self.path)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What was given as a photo and is known to be none."""

    name: str
    error: BadPicture

    @property
    def kept_as(self) -> str:
        return self.name

    def read(self) -> bytes:
        raise self.error


@dataclass(frozen=True, slots=True)
class AlignedChip:
    """A face that is cut out already, as of a sighting.

    name: the sighting's. jpeg: the 112x112 RGB chip. quality: as it was when it was cut.
    """

    name: str
    jpeg: bytes
    quality: Quality

    @property
    def kept_as(self) -> str:
        return self.name


#: Whatever a person can be enrolled by.
Source = PhotoSource | AlignedChip


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A person to enrol. photos: gone through once, when it is their turn."""

    name: str
    photos: Iterable[Path | Source]
    external_id: str | None = None
