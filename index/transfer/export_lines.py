"""An export of the gallery, as lines of JSON that any program can read; docs/export.md."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from facetrail.errors import BadExport
from index.calibration import Calibration
from index.person import EnrolledPerson
from index.photo import Photo

FORMAT = "facetrail-gallery"
VERSION = 1
#: The longest chip, as base64, with all that stands around it.
MOST_LINE = 400_000  # bytes

Count = Annotated[int, Meta(ge=0)]
#: Every line begins so, but for a sealed file.
START = b'{"type":"gallery",'


class Head(msgspec.Struct, frozen=True, kw_only=True, tag="gallery"):
    """The first line. encoder: its id. created_at: ISO 8601, UTC."""

    format: str = FORMAT
    version: Annotated[int, Meta(ge=1)] = VERSION
    encoder: Annotated[str, Meta(min_length=1, max_length=200)]
    created_at: Annotated[str, Meta(max_length=64)]
    calibration: Calibration | None = None


class PersonLine(EnrolledPerson, frozen=True, kw_only=True, tag="person"):
    """A person; the lines of their photos follow."""


class PhotoLine(Photo, frozen=True, kw_only=True, tag="photo"):
    """A photo of the person before. encoding, chip: as base64."""


class End(msgspec.Struct, frozen=True, kw_only=True, tag="end"):
    """The last line. sha256: of all lines before, in hexadecimal digits."""

    people: Count
    photos: Count
    sha256: str


Line = Head | PersonLine | PhotoLine | End


class _Version(msgspec.Struct, tag="gallery"):
    format: str
    version: int


_decoder = msgspec.json.Decoder(Head | PersonLine | PhotoLine | End)


def line_of(line: Line) -> bytes:
    """With its newline."""
    return msgspec.json.encode(line) + b"\n"


def person_line(person: EnrolledPerson) -> PersonLine:
    return PersonLine(**msgspec.structs.asdict(person))


def photo_line(photo: Photo) -> PhotoLine:
    return PhotoLine(**msgspec.structs.asdict(photo))


def person_of(line: PersonLine) -> EnrolledPerson:
    return EnrolledPerson(**msgspec.structs.asdict(line))


def photo_of(line: PhotoLine) -> Photo:
    return Photo(**msgspec.structs.asdict(line))


def read_head(line: bytes, file: str) -> Head:
    """The first line of a file. Raises BadExport, also for a newer version."""
    try:
        begun = msgspec.json.decode(line, type=_Version)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise no_export(file) from None
    if begun.format != FORMAT:
        raise no_export(file)
    if begun.version > VERSION:
        raise BadExport(
            f"{file} is of version {begun.version} of the format, and this Facetrail reads up to "
            f"{VERSION}: update it here, or export with the older one"
        )
    found = read_line(line, file, 1)
    if not isinstance(found, Head) or not _can_be_shown(found):
        raise altered(file, 1)
    return found


def _can_be_shown(head: Head) -> bool:
    own = head.calibration
    return head.encoder.isprintable() and (own is None or is_time(own.calibrated_at))


def read_line(line: bytes, file: str, number: int) -> Line:
    """Raises BadExport."""
    try:
        found: Line = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise altered(file, number) from error
    return found


def is_time(stamp: str) -> bool:
    """Whether it is ISO 8601, which Python reads with any character between date and time."""
    try:
        datetime.fromisoformat(stamp)
    except ValueError:
        return False
    return stamp.isprintable()


def no_export(file: str) -> BadExport:
    return BadExport(
        f"{file} is no export of a gallery: name a file that `facetrail people export` wrote"
    )


def altered(file: str, number: int) -> BadExport:
    return BadExport(f"{file} is altered or damaged, in line {number}: take another copy of it")


def cut_short(file: str) -> BadExport:
    return BadExport(f"{file} is cut short: take another copy of it")
