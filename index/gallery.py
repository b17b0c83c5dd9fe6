"""Who is enrolled: the truth, in Redis, with its log of changes.

An entry of the log says whose data changed, never what it was: a follower reads the truth of
that person, or of that encoder's calibration, so applying an entry twice, or late, ends in the
same state, and nothing that was erased lives on in the log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import msgspec
import redis

from facetrail.errors import EncoderMismatch, GalleryError, NoSuchPerson
from facetrail.events import Person
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
        stranger: str | None = None,
    ) -> EnrolledPerson:
        """Adds photos to the person of that name, who is made if new; all or nothing.

        stranger: whose photos these are; what was seen of them, `index.unfinished` hands over.
        Raises EncoderMismatch, GalleryError.
        """
        new = checked_person(new_person(name, external_id))
        person = self._add(new, photos, encoder, ENROLLED, stranger)
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
        self,
        new: EnrolledPerson,
        photos: Sequence[Photo],
        encoder: str,
        kind: int,
        stranger: str | None = None,
    ) -> EnrolledPerson:
        if not photos:
            raise GalleryError(f"{new.name}: expected at least one accepted photo, got none")
        parts = [p for photo in photos for p in (photo.digest, _packed(photo), photo.encoding)]
        head = [encoder, spelling(new.name), new.id, msgspec.json.encode(new), kind]
        keys = [*self.script_keys, self.keys.gallery_merging]
        answer = self._enrol(keys=keys, args=[*head, stranger or "", *parts])
        verdict, detail = (part.decode() for part in answer)
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
            raise NoSuchPerson(f"{new.name} was removed meanwhile")
        return self.person(detail)

    def remove(self, name: str) -> EnrolledPerson:
        """Takes a person and everything of theirs out of the gallery. Raises NoSuchPerson.

        What else is known of them, `index.unfinished` erases.
        """
        return self.remove_id(self.named(name).id)

    def remove_id(
        self, person_id: str, *, photos: Sequence[str] = (), sightings: Sequence[str] = ()
    ) -> EnrolledPerson:
        """As `remove`, by id.

        photos: digests of others' that go, too. sightings: names of others' that will be erased.
        """
        keys = [*self.script_keys, self.keys.gallery_erasing, self.keys.gallery_unwritten]

        def removed(person: EnrolledPerson, stored: bytes) -> bytes:
            head = [person.id, stored, spelling(person.name), len(photos)]
            answer: bytes = self._remove(keys=keys, args=[*head, *photos, *sightings])
            return answer

        return self._retried(person_id, removed)

    def describe(self, name: str, /, **changes: object) -> EnrolledPerson:
        """Changes what is known of a person: fields of EnrolledPerson, but their id.

        Raises NoSuchPerson, GalleryError.
        """
        return self.changed(name, lambda person: msgspec.structs.replace(person, **changes))

    def changed(
        self, name: str, change: Callable[[EnrolledPerson], EnrolledPerson]
    ) -> EnrolledPerson:
        """As `describe`; the change is made of what they are at that moment, id aside."""
        after = self.named(name)

        def described(before: EnrolledPerson, stored: bytes) -> bytes:
            nonlocal after
            after = checked_person(change(before))
            args = _description(before, stored, after)
            answer: bytes = self._describe(keys=self.script_keys, args=args)
            if answer == b"taken":
                raise GalleryError(
                    f"{after.name} is enrolled already: choose another name, or `facetrail people "
                    f"merge` them"
                )
            return answer

        self._retried(after.id, described)
        return after

    def merge(self, name: str, into: str) -> EnrolledPerson:
        """Gives one person's photos to another and takes the first out; the second.

        What was seen of the first, `index.unfinished` hands over.
        Raises NoSuchPerson, GalleryError.
        """
        one, other = self.named(name), self.named(into)
        if one.id == other.id:
            raise GalleryError(f"{one.name} is one person: name two to merge")
        self._moved(one.id, other, new=False, digests=[])
        return self.person(other.id)

    def split(self, name: str, digests: Sequence[str], new_name: str) -> EnrolledPerson:
        """Gives some of a person's photos to a new one of another name.

        Raises NoSuchPerson, GalleryError.
        """
        if not digests:
            raise GalleryError(f"{name}: name the photos that show {new_name}, one at least")
        new = checked_person(new_person(new_name))
        self._moved(self.named(name).id, new, new=True, digests=list(dict.fromkeys(digests)))
        return new

    def _moved(
        self, person_id: str, other: EnrolledPerson, *, new: bool, digests: Sequence[str]
    ) -> None:
        json = msgspec.json.encode(other) if new else b""
        to = [other.id, spelling(other.name), json, *digests]
        keys = [*self.script_keys, self.keys.gallery_merging]

        def moved(person: EnrolledPerson, stored: bytes) -> bytes:
            head = [person.id, stored, spelling(person.name)]
            answer: bytes = self._move(keys=keys, args=[*head, *to])
            refusals = {
                b"taken": f"{other.name} is enrolled already: choose another name",
                b"photo": f"a photo named is not {person.name}'s: `facetrail people show` lists "
                "theirs",
                b"all": f"nothing would be left of {person.name}: `facetrail people rename` does "
                "that",
            }
            if answer in refusals:
                raise GalleryError(refusals[answer])
            if answer == b"gone" and self._is_merged(person.id, other.id):
                return b"ok"
            if answer == b"gone":
                raise NoSuchPerson(f"{person.name} or {other.name} was removed meanwhile")
            return answer

        self._retried(person_id, moved)

    def _is_merged(self, one: str, into: str) -> bool:
        """Whether that was done before, and its answer was lost on its way."""
        found = self.client.get(self.keys.merged(one))
        return found is not None and msgspec.json.decode(found, type=Person).id == into

    def _retried(
        self, person_id: str, call: Callable[[EnrolledPerson, bytes], bytes]
    ) -> EnrolledPerson:
        """Calls a script with what is stored of a person until nobody else was faster.

        Names are looked up once, by whoever calls: a person may be renamed meanwhile, or removed
        and another one of that name be enrolled. Raises NoSuchPerson, GalleryError.
        """
        while True:
            stored = self.client.hget(self.keys.gallery_people, person_id)
            if stored is None:
                raise NoSuchPerson(f"the person with the id {person_id} was removed meanwhile")
            person = msgspec.json.decode(stored, type=EnrolledPerson)
            answer = call(person, stored)
            if answer == b"gone":
                raise NoSuchPerson(f"{person.name} was removed meanwhile")
            if answer == b"ok":
                return person

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


def _description(before: EnrolledPerson, stored: bytes, after: EnrolledPerson) -> list[str | bytes]:
    """What describe.lua is given."""
    rule = Rule.of(after)
    return [
        before.id,
        stored,
        msgspec.json.encode(after),
        msgspec.json.encode(rule) if rule else b"",
        spelling(before.name),
        spelling(after.name),
    ]


def _packed(photo: Photo) -> bytes:
    return msgspec.msgpack.encode(KeptPhoto(photo.digest, photo.source, photo.chip))
