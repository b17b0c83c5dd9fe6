"""Someone enrolled, and how names are kept."""

from __future__ import annotations

import secrets
import unicodedata
from datetime import UTC, datetime

import msgspec

from facetrail.errors import GalleryError
from facetrail.events import Person

MOST_NAME = 200  # characters
#: Of a name more is not looked at: it is too long anyway.
MOST_READ = 10_000  # characters
MOST_NOTES = 2_000  # characters
MOST_TAGS = 50


class EnrolledPerson(msgspec.Struct, frozen=True, kw_only=True):
    """Someone enrolled. Times: ISO 8601, UTC.

    active_from, active_until: outside these a face is never called theirs. ignored: known, and
    not reported.
    """

    id: str
    name: str
    external_id: str | None = None
    notes: str = ""
    tags: tuple[str, ...] = ()
    active_from: str | None = None
    active_until: str | None = None
    ignored: bool = False
    enrolled_at: str

    @property
    def said(self) -> Person:
        """As events have them."""
        return Person(id=self.id, name=self.name, external_id=self.external_id)


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of an enrolled person what every follower must know at once, if there is anything."""

    active_from: str | None = None
    active_until: str | None = None
    ignored: bool = False

    @classmethod
    def of(cls, person: EnrolledPerson) -> Rule | None:
        rule = cls(
            active_from=person.active_from,
            active_until=person.active_until,
            ignored=person.ignored,
        )
        return None if rule == cls() else rule

    def holds(self, at: int) -> bool:
        """Whether somebody may be called this person at that time, in nanoseconds UTC."""
        begins, ends = _nanoseconds(self.active_from), _nanoseconds(self.active_until)
        return (begins is None or begins <= at) and (ends is None or at < ends)


def _nanoseconds(stamp: str | None) -> int | None:
    return None if stamp is None else int(datetime.fromisoformat(stamp).timestamp()) * 10**9


def new_person(name: str, external_id: str | None = None) -> EnrolledPerson:
    """Someone with an id of their own: 12 hexadecimal digits."""
    return EnrolledPerson(
        id=secrets.token_hex(6),
        name=name,
        external_id=external_id,
        enrolled_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def checked_name(name: str) -> str:
    """The name as it is kept. Raises GalleryError for one that can't be shown in a line."""
    length = len(name.strip())
    kept = _spaced(name)
    if not kept or length > MOST_NAME or not kept.isprintable():
        raise GalleryError(
            f"a person's name has 1 to {MOST_NAME} printable characters, got {length}: "
            f"{name.strip()[:40]!r}"
        )
    return kept


def _spaced(name: str) -> str:
    """With plain spaces: some keyboards write others, which don't count as printable."""
    signs = (" " if unicodedata.category(sign) == "Zs" else sign for sign in name[:MOST_READ])
    return "".join(signs).strip()


def checked_person(person: EnrolledPerson) -> EnrolledPerson:
    """The person as they are kept. Raises GalleryError."""
    name = checked_name(person.name)
    external_id = person.external_id and checked_name(person.external_id)
    if len(person.notes) > MOST_NOTES or "\0" in person.notes:
        raise GalleryError(f"{name}: notes have at most {MOST_NOTES} characters; shorten them")
    if any(unicodedata.category(sign) == "Cs" for sign in person.notes):
        raise GalleryError(f"{name}: the notes are not UTF-8; write them in it")
    tags = tuple(sorted({checked_name(tag) for tag in person.tags}))
    if len(tags) > MOST_TAGS:
        raise GalleryError(f"{name}: expected at most {MOST_TAGS} tags, got {len(tags)}")
    begins, ends = (_checked_time(name, t) for t in (person.active_from, person.active_until))
    if begins and ends and begins >= ends:
        raise GalleryError(f"{name}: is active from {begins} until {ends}, which is no time at all")
    return msgspec.structs.replace(
        person, name=name, external_id=external_id, tags=tags, active_from=begins, active_until=ends
    )


def _checked_time(name: str, stamp: str | None) -> str | None:
    """In UTC. One without a zone is the time of this machine's clock on the wall."""
    if stamp is None:
        return None
    try:
        return datetime.fromisoformat(stamp).astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError) as error:
        raise GalleryError(
            f"{name}: {stamp[:40]!r} is no time; write 2027-01-31 or 2027-01-31T18:00"
        ) from error


def spelling(name: str) -> str:
    """The same for every way to write a name: case, spaces around it, Unicode form."""
    return unicodedata.normalize("NFC", _spaced(name).casefold())


def same_name(one: str, other: str) -> bool:
    """Whether both name the same person."""
    return spelling(one) == spelling(other)
