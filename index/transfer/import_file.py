"""A file of exported people, read and checked piece by piece, as often as wanted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from facetrail.errors import BadExport, GalleryError
from index.person import EnrolledPerson
from index.photo import Photo
from index.shown import shown
from index.transfer.export_lines import (
    MOST_LINE,
    START,
    End,
    Head,
    Line,
    PersonLine,
    PhotoLine,
    altered,
    cut_short,
    no_export,
    person_of,
    photo_of,
    read_head,
    read_line,
)
from index.transfer.export_order import Order
from index.transfer.sealed import Unsealing, is_sealed

PIECE = 1 << 16

#: A person, or a photo of the person before.
Item = EnrolledPerson | Photo
Take = Callable[[Item], None]


class ImportFile(AbstractContextManager["ImportFile"]):
    """An export, open. ask: for the passphrase, if it is sealed."""

    def __init__(self, path: Path, ask: Callable[[], str]) -> None:
        """Raises BadExport, for a wrong passphrase too."""
        self.name = shown(path)
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise BadExport(
                f"{self.name} can't be read ({error.strerror}): name a file that `facetrail people "
                "export` wrote"
            ) from error
        try:
            self._unsealing = self._opened(ask)
        except BaseException:
            self._file.close()
            raise

    def _opened(self, ask: Callable[[], str]) -> Unsealing | None:
        if not self._file.seekable():
            raise BadExport(f"{self.name} can only be read once: copy it to a file first")
        if is_sealed(self._file):
            return Unsealing(self.name, self._file, ask())
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def read(self, take: Take) -> tuple[Head, End]:
        """Hands on all that is in it, checked one by one, and what frames it.

        Only at the end is it known that the file is whole and unaltered. Raises BadExport.
        """
        reading = Reading(self.name, take)
        if self._unsealing is not None:
            self._unsealing.read(reading.write)
        else:
            _read_plain(self.name, self._file, reading)
        return reading.finish()


def _read_plain(name: str, file: BinaryIO, reading: Reading) -> None:
    file.seek(0)
    try:
        while piece := file.read(PIECE):
            reading.write(piece)
    except OSError as error:
        raise BadExport(f"{name} can't be read ({error.strerror}): check its disk") from error


class Reading:
    """Takes the bytes of an export in pieces of any size, and hands on its people and photos."""

    def __init__(self, name: str, take: Take) -> None:
        self._name = name
        self._take = take
        self._rest = b""
        self._number = 0  # of the line
        self._digest = hashlib.sha256()
        self._order = Order()
        self._head: Head | None = None
        self._end: End | None = None

    def write(self, piece: bytes) -> int:
        """Raises BadExport."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            self._read(line)
        if self._head is None and not self._rest.startswith(START[: len(self._rest)]):
            raise no_export(self._name)
        if len(self._rest) > MOST_LINE:
            raise altered(self._name, self._number + 1)
        return len(piece)

    def finish(self) -> tuple[Head, End]:
        """What frames the file, once all of it has come. Raises BadExport."""
        if self._head is None and not self._rest:
            raise no_export(self._name)
        if self._head is None or self._end is None:
            raise cut_short(self._name)
        if self._rest:
            raise altered(self._name, self._number + 1)
        return self._head, self._end

    def _read(self, line: bytes) -> None:
        self._number += 1
        if self._head is None:
            self._head = read_head(line, self._name)
        elif self._end is not None:
            raise altered(self._name, self._number)
        else:
            self._follow(read_line(line, self._name, self._number))
        self._digest.update(line + b"\n" if self._end is None else b"")

    def _follow(self, line: Line) -> None:
        try:
            if isinstance(line, PersonLine):
                self._take(self._order.person(person_of(line)))
            elif isinstance(line, PhotoLine):
                self._take(self._order.photo(photo_of(line)))
            elif isinstance(line, End):
                self._close(line)
            else:
                raise altered(self._name, self._number)
        except BadExport:
            raise
        except GalleryError as error:
            raise BadExport(f"{self._name}, line {self._number}: {error}") from error

    def _close(self, end: End) -> None:
        self._order.close()
        found = End(
            people=self._order.people,
            photos=self._order.photos,
            sha256=self._digest.hexdigest(),
        )
        if found != end:
            raise BadExport(f"{self._name} is altered or damaged: take another copy of it")
        self._end = end
