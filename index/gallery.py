"""Who is enrolled: the truth, in Redis, with its log of changes.

An entry of the log says whose data changed, never what it was: a follower reads the truth of
that person, or of that encoder's calibration, so applying an entry twice, or late, ends in the
same state, and nothing that was erased lives on in the log.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import redis

from facetrail.errors import EncoderMismatch, GalleryError, NoSuchPerson
from facetrail.store import Keys
from facetrail.wire import Encodings
from index.calibration import Calibration

MOST_NAME = 200  # characters

_ENROL = Path(__file__).with_name("enrol.lua").read_text()
_REMOVE = Path(__file__).with_name("remove.lua").read_text()
_CALIBRATE = Path(__file__).with_name("calibrate.lua").read_text()


class EnrolledPerson(msgspec.Struct, frozen=True, kw_only=True):
    """Someone enrolled. enrolled_at: ISO 8601, UTC."""

    id: str
    name: str
    external_id: str | None = None
    enrolled_at: str


class Photo(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted photo.

    digest: SHA-256 of the file. source: the file's name. encoding: 128 little-endian
    float32 of length 1. chip: the 112x112 JPEG it is of, for another encoder one day.
    """

    digest: str
    source: str
    encoding: bytes
    chip: bytes

    @property
    def numbers(self) -> Encodings:
        """Float32 `(128,)`."""
        return np.frombuffer(self.encoding, "<f4").astype(np.float32)


class Change(msgspec.Struct, frozen=True):
    """One entry of the log: this person's data changed, or this encoder's calibration."""

    position: str
    person: str | None = None
    encoder: str | None = None


class Gallery:
    """People, their encodings and their chips, bound to one encoder; and its calibration."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self.client = client
        self.keys = keys
        self._enrol = client.register_script(_ENROL)
        self._remove = client.register_script(_REMOVE)
        self._calibrate = client.register_script(_CALIBRATE)

    @property
    def encoder(self) -> str | None:
        """The encoder the gallery is bound to, or None while it is empty."""
        found = self.client.get(self.keys.gallery_encoder)
        return found.decode() if found else None

    def enrol(
        self,
        name: str,
        photos: Sequence[Photo],
        *,
        encoder: str,
        external_id: str | None = None,
    ) -> EnrolledPerson:
        """Adds photos to the person of that name, who is made if new; all or nothing.

        Raises EncoderMismatch, GalleryError.
        """
        name = checked_name(name)
        if not photos:
            raise GalleryError(f"{name}: expected at least one accepted photo, got none")
        new = EnrolledPerson(
            id=secrets.token_hex(6),
            name=name,
            external_id=external_id,
            enrolled_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        pairs = [part for photo in photos for part in (photo.digest, _packed(photo))]
        answer = self._enrol(
            keys=self._keys_of(new.id),
            args=[encoder, _spelling(name), new.id, msgspec.json.encode(new), *pairs],
        )
        return self._enrolled(name, encoder, answer)

    def _enrolled(self, name: str, encoder: str, answer: list[bytes]) -> EnrolledPerson:
        verdict, detail = (part.decode() for part in answer)
        if verdict == "encoder":
            raise EncoderMismatch(
                f"the gallery belongs to encoder {detail}, not {encoder}: "
                f"set FACETRAIL_ENCODER={detail.partition('@')[0]}, or remove its people first"
            )
        if verdict == "digest":
            raise GalleryError(f"{name}: a photo is already enrolled for {detail}; leave it out")
        return self.person(detail)

    def remove(self, name: str) -> EnrolledPerson:
        """Erases a person and everything of theirs. Raises NoSuchPerson."""
        person = self.named(name)
        self._remove(keys=self._keys_of(person.id), args=[person.id, _spelling(name)])
        return person

    def calibration(self, encoder: str) -> Calibration | None:
        """What holds for an encoder's id in place of its own; None if nothing does.

        Raises GalleryError if it can't be read.
        """
        found = self.client.get(self.keys.encoder(encoder))
        try:
            return None if found is None else msgspec.json.decode(found, type=Calibration)
        except msgspec.MsgspecError as error:
            raise GalleryError(
                f"the calibration of encoder {encoder} in Redis can't be read ({error}): "
                "`facetrail calibrate --reset` removes it"
            ) from error

    def calibrate(self, encoder: str, calibration: Calibration) -> None:
        """Sets what holds for an encoder's id; every worker follows."""
        self._calibrate(
            keys=[self.keys.gallery_log, self.keys.encoder(encoder)],
            args=[encoder, msgspec.json.encode(calibration)],
        )

    def reset_calibration(self, encoder: str) -> bool:
        """The encoder's own values hold again; False if they did."""
        keys = [self.keys.gallery_log, self.keys.encoder(encoder)]
        return self._calibrate(keys=keys, args=[encoder, ""]) is not None

    def _keys_of(self, person: str) -> list[str]:
        return [
            self.keys.gallery_log,
            self.keys.gallery_people,
            self.keys.gallery_names,
            self.keys.gallery_encoder,
            self.keys.gallery_digests,
            # A new person's; the script builds the same name for one who is there.
            self.keys.gallery_photos(person),
        ]

    def people(self) -> list[EnrolledPerson]:
        """Everyone, by name."""
        found = self.client.hvals(self.keys.gallery_people)
        people = (msgspec.json.decode(value, type=EnrolledPerson) for value in found)
        return sorted(people, key=lambda person: person.name.casefold())

    def person(self, person_id: str) -> EnrolledPerson:
        """Raises NoSuchPerson."""
        found = self.client.hget(self.keys.gallery_people, person_id)
        if found is None:
            raise NoSuchPerson(f"nobody with the id {person_id} is enrolled")
        return msgspec.json.decode(found, type=EnrolledPerson)

    def named(self, name: str) -> EnrolledPerson:
        """Raises NoSuchPerson."""
        found = self.client.hget(self.keys.gallery_names, _spelling(name))
        if found is None:
            raise NoSuchPerson(
                f"nobody called {name!r} is enrolled: `facetrail people list` shows who is"
            )
        return self.person(found.decode())

    def photos(self, person_id: str) -> list[Photo]:
        """The photos of a person; none if there is no such person."""
        found = self.client.hvals(self.keys.gallery_photos(person_id))
        return [msgspec.msgpack.decode(value, type=Photo) for value in found]

    def count_photos(self, person_id: str) -> int:
        return int(self.client.hlen(self.keys.gallery_photos(person_id)))

    def owner_of(self, digest: str) -> str | None:
        """The name of the person a photo is enrolled for."""
        found = self.client.hget(self.keys.gallery_digests, digest)
        return self.person(found.decode()).name if found else None

    def position(self) -> str:
        """The newest entry of the log, "0-0" without one."""
        newest = self.client.xrevrange(self.keys.gallery_log, count=1)
        return newest[0][0].decode() if newest else "0-0"

    def changes(self, after: str, *, block_ms: int) -> Iterator[Change]:
        """The entries after a position, waiting `block_ms` for the first."""
        found = self.client.xread({self.keys.gallery_log: after}, count=1000, block=block_ms)
        entries: Iterable[tuple[bytes, dict[bytes, bytes]]] = found[0][1] if found else []
        for position, fields in entries:
            person, encoder = (fields.get(name, b"").decode() for name in (b"person", b"encoder"))
            yield Change(position.decode(), person or None, encoder or None)


def checked_name(name: str) -> str:
    """The name as it is kept. Raises GalleryError for one that can't be shown in a line."""
    name = name.strip()
    if not name or len(name) > MOST_NAME or not name.isprintable():
        raise GalleryError(
            f"a person's name has 1 to {MOST_NAME} printable characters, "
            f"got {len(name)}: {name[:40]!r}"
        )
    return name


def _spelling(name: str) -> str:
    """The same for every way to write a name: case, spaces around it, Unicode form."""
    return unicodedata.normalize("NFC", name.strip().casefold())


def same_name(one: str, other: str) -> bool:
    """Whether both name the same person."""
    return _spelling(one) == _spelling(other)


def _packed(photo: Photo) -> bytes:
    return msgspec.msgpack.encode(photo)
