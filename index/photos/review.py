"""What a person's photos say together: are all theirs, and is it somebody enrolled before?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facetrail.errors import NoSuchPerson
from facetrail.wire import Encoder, Encodings
from index.gallery import Gallery
from index.person import EnrolledPerson
from index.photos.chip_batches import EncodedFace
from index.photos.consistency import Doubt, doubts, farthest
from index.photos.known_people import KnownPeople, Similar
from index.photos.look import Rejected
from index.rows import NOBODY


@dataclass(frozen=True, slots=True, eq=False)
class Review:
    """Of the faces given for one person.

    enrolled: float32 `(k, 128)`, theirs from before; none of somebody new. refused: by digest.
    similar: by digest, who else looks like it.
    """

    enrolled: Encodings
    refused: dict[str, Rejected]
    similar: dict[str, Similar | None]

    def warnings(self, accepted: Sequence[EncodedFace]) -> tuple[Similar, ...]:
        """Whom somebody new, enrolled by these, may be: each person once, the nearest first."""
        if len(self.enrolled):
            return ()
        found = [self.similar[face.photo.digest] for face in accepted]
        nearest = sorted((one for one in found if one), key=lambda one: -one.distance)
        once = {one.person: one for one in nearest}
        return tuple(sorted(once.values(), key=lambda one: one.distance))


class Reviewer:
    """Compares photos with everyone; the gallery is read at the first review.

    trust: doubts refuse nothing.
    """

    def __init__(self, gallery: Gallery, encoder: Encoder, *, trust: bool) -> None:
        self.gallery = gallery
        self.encoder = encoder
        self.trust = trust
        self._known: KnownPeople | None = None

    def review(self, name: str, faces: Sequence[EncodedFace]) -> Review:
        """Each photo is given once. Raises RedisError."""
        if self._known is None:
            self._known = KnownPeople(self.gallery, self.encoder)
        person, enrolled = self._before(name)
        given = np.stack([face.photo.numbers for face in faces])
        similar = self._known.similar(given, but=person)
        against: Sequence[Doubt | None] = [None] * len(faces)
        if not self.trust:
            against = doubts(given, enrolled, similar, limit=farthest(self.encoder))
        pairs = zip(faces, against, strict=True)
        return Review(
            enrolled,
            {face.photo.digest: _rejected(face, doubt, name) for face, doubt in pairs if doubt},
            {face.photo.digest: one for face, one in zip(faces, similar, strict=True)},
        )

    def remember(
        self, person: EnrolledPerson, review: Review, accepted: Sequence[EncodedFace]
    ) -> None:
        """Those who come later are compared with them too."""
        rows = [face.photo.numbers for face in accepted]
        if self._known is not None:
            self._known.add(person, np.concatenate([review.enrolled, rows]))

    def _before(self, name: str) -> tuple[str | None, Encodings]:
        """The id of the person of that name and `(k, 128)` of their photos."""
        try:
            person = self.gallery.named(name)
        except NoSuchPerson:
            return None, NOBODY
        rows = [photo.numbers for photo in self.gallery.photos(person.id)]
        return person.id, np.stack(rows) if rows else NOBODY


def _rejected(face: EncodedFace, doubt: Doubt, name: str) -> Rejected:
    photo = face.source.name
    if doubt.other is not None:
        sentence = (
            f"{photo}: the face is {doubt.value:.3f} from {doubt.other.name}, where up to "
            f"{doubt.limit:.3f} is one person, and {doubt.own:.3f} from the nearest photo of "
            f"{name}; leave it out, or take it with --trust"
        )
    else:
        sentence = (
            f"{photo}: the face is {doubt.value:.3f} from the nearest other photo of {name}, and "
            f"may be {doubt.limit:.3f}; leave it out if it shows somebody else, or take it with "
            "--trust"
        )
    return Rejected(photo, doubt.reason, sentence, doubt.value, doubt.limit)
