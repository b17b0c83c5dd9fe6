"""The photos in a zip, read in memory: nothing is unpacked, and nothing is believed."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, Self

from facetrail.errors import BadPicture
from index.photos.photo_source import PhotoSource, Unreadable
from index.photos.portrait import MOST_BYTES, called_like_a_picture, too_large
from index.shown import shown

#: Ten photos of each of 10 000 people, and as many again.
MOST_MEMBERS = 200_000
#: Bytes of the list of members: long names of as many.
MOST_LIST = 256 * MOST_MEMBERS
#: What systems pack beside the files they are told to.
SYSTEM = "__MACOSX"
TAKEN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED, UTF_8 = 0x1, 0x800
DRIVE = re.compile(r"[A-Za-z]:")

# The end of a zip, and of one with large numbers (PKWARE's APPNOTE.TXT, 4.3.14 to 4.3.16).
END, END_64, LOCATOR = (
    struct.Struct("<4s4H2IH"),
    struct.Struct("<4sQ2H2I4Q"),
    struct.Struct("<4sIQI"),
)
MOST_COMMENT = 65_535

#: What `zipfile` says to bytes that are no zip, or no whole member of one.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)


@dataclass(frozen=True, slots=True, eq=False)
class ZipMember:
    """A photo in a zip; a `PhotoSource`. path: inside it, as it is meant to be read."""

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo
    path: PurePosixPath
    zip_name: str

    @property
    def name(self) -> str:
        return shown(f"{self.zip_name}/{self.path}")

    @property
    def kept_as(self) -> str:
        return shown(self.path.name)

    def read(self) -> bytes:
        """Never more than a photo may have, whatever the zip declares. Raises BadPicture."""
        if self.info.file_size > MOST_BYTES:
            raise too_large(self.name, self.info.file_size)
        try:
            with self.archive.open(self.info) as file:
                data = file.read(MOST_BYTES + 1)
        except (*_DAMAGED, OSError) as error:
            raise BadPicture(
                "not_an_image", f"{self.name} is damaged; make the zip again"
            ) from error
        if len(data) > MOST_BYTES:
            raise too_large(self.name, len(data))
        return data


class ZipPhotos:
    """The photos of a zip while it is open. Raises BadPicture for one that can't be trusted."""

    def __init__(self, path: Path) -> None:
        self.name = shown(path)
        with ExitStack() as opened:
            try:
                file = opened.enter_context(path.open("rb"))
                self._check_list(file)
                self._archive = opened.enter_context(zipfile.ZipFile(file))
            except _DAMAGED as error:
                raise self._refused("is no zip that can be read; make it again") from error
            except OSError as error:
                reason = error.strerror or error
                raise self._refused(f"can't be read ({reason}); check the path") from error
            self._members = list(self._checked())
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._opened.close()

    def photos(self) -> list[PhotoSource]:
        """All of them, by name. Raises BadPicture if there are none."""
        if not self._members:
            raise self._refused("has no file that is called like a picture; put photos into it")
        return [self._source(member) for member in self._members]

    def people(self) -> dict[str, list[PhotoSource]]:
        """The photos in each person's folder, by its name.

        One folder around all of these is passed over. Raises BadPicture if there are none.
        """
        depth = self._depth()
        found: dict[str, list[PhotoSource]] = {}
        for member in self._members:
            folders = member.path.parts[depth:-1]
            if len(folders) == 1:
                found.setdefault(folders[0], []).append(self._source(member))
        if not found:
            raise self._refused(
                "has no folder with photos; put each person's into a folder of their name"
            )
        return found

    def loose(self) -> int:
        """How many photos lie in nobody's folder."""
        depth = self._depth()
        return sum(len(member.path.parts[depth:-1]) != 1 for member in self._members)

    def _depth(self) -> int:
        """How many folders lie around those of all people."""
        folders = [member.path.parts[:-1] for member in self._members]
        depth = 0
        while folders and all(len(own) > depth + 1 for own in folders):
            if len({own[depth] for own in folders}) > 1:
                break
            depth += 1
        return depth

    def _source(self, member: ZipMember) -> PhotoSource:
        if member.path.suffix.lower() == ".zip":
            sentence = f"{member.name} is a zip in a zip, which is not opened; take its photos out"
            return Unreadable(member.name, BadPicture("not_an_image", sentence))
        return member

    def _check_list(self, file: BinaryIO) -> None:
        """Before anything reads the list of members. Raises BadPicture, and what _DAMAGED has.

        `zipfile` makes an object of each member there is, whatever number is declared.
        """
        count, size, end = _declared(file)
        if size > MOST_LIST:
            raise self._refused(
                f"has a list of members of {size / 1e6:.1f} MB, and {MOST_LIST / 1e6:.1f} are read "
                "at most; split it"
            )
        count = max(count, _listed(file, size, end))
        if count > MOST_MEMBERS:
            raise self._refused(
                f"has {count} members, and {MOST_MEMBERS} are taken at most; split it"
            )

    def _checked(self) -> Iterator[ZipMember]:
        """Those that are called like pictures, and zips, by name. Raises BadPicture."""
        for info in sorted(self._archive.infolist(), key=_name_of):
            name = _name_of(info)
            self._check(name, info)
            path = PurePosixPath(name)
            hidden = path.parts[:1] == (SYSTEM,) or any(part[0] == "." for part in path.parts)
            wanted = called_like_a_picture(path.name) or path.suffix.lower() == ".zip"
            if wanted and not hidden and not info.is_dir():
                yield ZipMember(self._archive, info, path, self.name)

    def _check(self, name: str, info: zipfile.ZipInfo) -> None:
        """Raises BadPicture, for the whole zip."""
        if _leaves(name) or _leaves(info.orig_filename):
            raise self._refused(
                f"has the member {shown(name)[:80]!r}, whose path leaves its folder; make it again"
            )
        if info.flag_bits & ENCRYPTED:
            raise self._refused("is encrypted; make it without a password")
        if info.compress_type not in TAKEN:
            raise self._refused("is packed in a way that is not read; make it as a plain zip")

    def _refused(self, reason: str) -> BadPicture:
        return BadPicture("not_an_image", f"{self.name} {reason}")


def _leaves(name: str) -> bool:
    """Whether a path leads out of where it is unpacked, on any system."""
    odd = name.startswith("/") or "\\" in name or "\0" in name or DRIVE.match(name)
    return bool(odd) or ".." in name.split("/")


def _name_of(info: zipfile.ZipInfo) -> str:
    """A name whose encoding is not declared is UTF-8 where it can be, as systems write it."""
    if info.flag_bits & UTF_8:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _listed(file: BinaryIO, size: int, end: int) -> int:
    """How many members are listed in so many bytes before the end, or a little more.

    `zipfile` takes no list that lies elsewhere, and none in which a member begins otherwise.
    """
    start = max(0, end - size - END_64.size - LOCATOR.size)
    file.seek(start)
    return file.read(end - start).count(b"PK\1\2")


def _declared(file: BinaryIO) -> tuple[int, int, int]:
    """How many members a zip says it has, the bytes of their list, and where its end begins.

    Raises BadZipFile, struct.error.
    """
    length = file.seek(0, 2)
    start = max(0, length - END.size - MOST_COMMENT - LOCATOR.size)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0:
        raise zipfile.BadZipFile("no end")
    _, _, _, _, count, size, _, _ = END.unpack_from(tail, at)
    locator = at - LOCATOR.size
    if locator >= 0 and tail.startswith(b"PK\6\7", locator):
        _, _, said, _ = LOCATOR.unpack_from(tail, locator)
        # Readers look where it says, or right before: what either finds counts.
        for place in (said, start + locator - END_64.size):
            file.seek(min(max(0, place), length))
            found = file.read(END_64.size)
            if len(found) == END_64.size and found.startswith(b"PK\6\6"):
                *_, more, larger, _ = END_64.unpack(found)
                count, size = max(count, more), max(size, larger)
    return count, size, start + at
