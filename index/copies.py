"""What others have that shows somebody: photos and sightings are made of each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facetrail import sightings
from index.gallery import Gallery
from index.person import EnrolledPerson


@dataclass(frozen=True, slots=True)
class Copies:
    """By a person's id what goes with them, and by encoding what stays.

    photos: digests of photos by which others are told apart from them. sightings: names of others',
    whose picture is a photo of theirs. kept: encodings of people whom nobody erases, which they may
    have, too: a photo that does not show them, or a sighting that was taken for theirs.
    """

    photos: dict[str, list[str]]
    sightings: dict[str, list[str]]
    kept: frozenset[bytes]


def copies_of(gallery: Gallery, people: Sequence[EnrolledPerson]) -> Copies:
    """Of people who are to be erased. Reads all encodings there are, once."""
    client, keys = gallery.client, gallery.keys
    ids = [person.id for person in people]
    enrolled = {person: {one.encoding for one in gallery.photos(person)} for person in ids}
    seen = {person: {one.encoding for one in sightings.of(client, keys, person)} for person in ids}
    negatives = {one.encoding for person in ids for one in gallery.negatives(person)}
    theirs = set[bytes]().union(*enrolled.values(), *seen.values())
    found = list(gallery.showing(theirs | negatives))
    shown = sightings.showing(client, keys, theirs | negatives)
    others = [photo for owner, photo in found if owner not in enrolled]
    return Copies(
        photos={
            person: [
                photo.digest
                for photo in others
                if photo.negative and photo.encoding in enrolled[person] | seen[person]
            ]
            for person in ids
        },
        sightings={
            person: [name for name, encoding in shown.items() if encoding in enrolled[person]]
            for person in ids
        },
        kept=frozenset(photo.encoding for photo in others if not photo.negative)
        | (negatives.intersection(shown.values()) - theirs),
    )
