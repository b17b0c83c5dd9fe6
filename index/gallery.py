"""Who is enrolled: the truth, in Redis, with its log of changes.

An entry of the log says whose data changed, never what it was: a follower reads the truth of
that person, or of that encoder's calibration, so applying an entry twice, or late, ends in the
same state, and nothing that was erased lives on in the log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec
import redis

from facetrail.errors import EncoderMismatch, GalleryError, NoSuchPerson
from facetrail.store import Keys
from index.calibration import Calibration
from index.person import (
    EnrolledPerson,
    Rule,
    checked_person,
    new_person,
    spelling,
)
from index.photo import ENROLLED, NEGATIVE, KeptPhoto, Photo
from index.reader import GalleryReader


class Gallery(GalleryReader):
    """People, their encodings and their chips, bound to one encoder; and its calibration."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        super().__init__(client, keys)
        self._enrol = self.script("enrol")
        self._remove = self.script("remove")
        self._describe = self.script("describe")
        self._move = self.script("move")
        self._calibrate = self.script("calibrate")

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
        new = checked_person(new_person(name, external_id))
        person = self._add(new, photos, encoder, ENROLLED)
        if external_id is not None and person.external_id != new.external_id:
            person = self.describe(person.name, external_id=external_id)
        return person

    def rule_out(self, name: str, photos: Sequence[Photo], *, encoder: str) -> EnrolledPerson:
        """Keeps photos that do not show a person, whom such faces are then never called.

        They may be enrolled for whom they show. Raises NoSuchPerson, EncoderMismatch, GalleryError.
        """
        person = self.named(name)
        negatives = [_ruled_out(photo, person.id) for photo in photos]
        return self._add(person, negatives, encoder, NEGATIVE)

    def _add(
        self, new: EnrolledPerson, photos: Sequence[Photo], encoder: str, kind: int
    ) -> EnrolledPerson:
        if not photos:
            raise GalleryError(f"{new.name}: expected at least one accepted photo, got none")
        parts = [p for photo in photos for p in (photo.digest, _packed(photo), photo.encoding)]
        args = [encoder, spelling(new.name), new.id, msgspec.json.encode(new), kind, *parts]
        verdict, detail = (part.decode() for part in self._enrol(keys=self.script_keys, args=args))
        if verdict == "encoder":
            raise EncoderMismatch(
                f"the gallery belongs to encoder {detail}, not {encoder}: set FACETRAIL_ENCODER="
                f"{detail.partition('@')[0]}, or move it with `facetrail people re-encode`"
            )
        if verdict == "digest":
            raise GalleryError(
                f"{new.name}: a photo is already enrolled for {detail}; leave it out"
            )
        if verdict == "nobody":
            self.named(new.name)
        return self.person(detail)

    def remove(self, name: str) -> EnrolledPerson:
        """Takes a person and everything of theirs out of the gallery. Raises NoSuchPerson.

        What else is known of them, `index.erasure` erases.
        """
        person = self.named(name)
        keys = [*self.script_keys, self.keys.gallery_erasing]
        self._remove(keys=keys, args=[person.id, spelling(person.name)])
        return person

    def describe(self, name: str, /, **changes: object) -> EnrolledPerson:
        """Changes what is known of a person: fields of EnrolledPerson, but their id.

        Raises NoSuchPerson, GalleryError.
        """
        while True:
            person_id = self.named(name).id
            stored = self.client.hget(self.keys.gallery_people, person_id)
            if stored is None:
                continue  # removed since: `named` says so, unless somebody took the name
            before = msgspec.json.decode(stored, type=EnrolledPerson)
            after = checked_person(msgspec.structs.replace(before, **changes))
            rule = Rule.of(after)
            answer = self._describe(
                keys=self.script_keys,
                args=[
                    before.id,
                    stored,
                    msgspec.json.encode(after),
                    msgspec.json.encode(rule) if rule else b"",
                    spelling(before.name),
                    spelling(after.name),
                ],
            )
            if answer == b"taken":
                raise GalleryError(
                    f"{after.name} is enrolled already: choose another name, or `facetrail people "
                    f"merge` them"
                )
            if answer == b"ok":
                return after

    def merge(self, name: str, into: str) -> EnrolledPerson:
        """Gives one person's photos to another and takes the first out; the second.

        Raises NoSuchPerson, GalleryError.
        """
        one, other = self.named(name), self.named(into)
        if one.id == other.id:
            raise GalleryError(f"{one.name} is one person: name two to merge")
        self._moved(one, other, new=False, digests=[])
        return self.person(other.id)

    def split(self, name: str, digests: Sequence[str], new_name: str) -> EnrolledPerson:
        """Gives some of a person's photos to a new one of another name.

        Raises NoSuchPerson, GalleryError.
        """
        if not digests:
            raise GalleryError(f"{name}: name the photos that show {new_name}, one at least")
        new = checked_person(new_person(new_name))
        self._moved(self.named(name), new, new=True, digests=digests)
        return new

    def _moved(
        self, one: EnrolledPerson, other: EnrolledPerson, *, new: bool, digests: Sequence[str]
    ) -> None:
        head = [one.id, spelling(one.name), other.id, spelling(other.name)]
        json = msgspec.json.encode(other) if new else b""
        answer = self._move(keys=self.script_keys, args=[*head, json, int(new), *digests])
        if answer == b"gone":
            raise NoSuchPerson(f"{one.name} or {other.name} was removed meanwhile")
        refusals = {
            b"taken": f"{other.name} is enrolled already: choose another name",
            b"photo": f"a photo named is not {one.name}'s: `facetrail people show` lists theirs",
            b"all": f"nothing would be left of {one.name}: `facetrail people rename` does that",
        }
        if answer in refusals:
            raise GalleryError(refusals[answer])

    def calibrate(self, encoder: str, calibration: Calibration) -> None:
        """Sets what holds for an encoder's id; every worker follows."""
        self._calibrated(encoder, msgspec.json.encode(calibration))

    def reset_calibration(self, encoder: str) -> bool:
        """The encoder's own values hold again; False if they did."""
        return self._calibrated(encoder, b"") is not None

    def _calibrated(self, encoder: str, calibration: bytes) -> bytes | None:
        keys = [*self.script_keys, self.keys.encoder(encoder)]
        position: bytes | None = self._calibrate(keys=keys, args=[encoder, calibration])
        return position


def _ruled_out(photo: Photo, person_id: str) -> Photo:
    """The photo under a digest of its own, since another person may be enrolled by it."""
    own = hashlib.sha256(f"{person_id} {photo.digest}".encode()).hexdigest()
    return msgspec.structs.replace(photo, digest=own, negative=True)


def _packed(photo: Photo) -> bytes:
    return msgspec.msgpack.encode(KeptPhoto(photo.digest, photo.source, photo.chip))
