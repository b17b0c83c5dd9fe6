"""Who else looks like this: everyone enrolled before, and by this run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facetrail.errors import EncoderMismatch
from facetrail.wire import Encoder, Encodings
from index.face_index import Candidate
from index.gallery import Gallery
from index.person import EnrolledPerson
from index.replica import Replica
from index.rows import NOBODY

#: Encodings of this run that are compared by themselves before they join the index: to make a
#: new one of those takes as long as some ten searches.
APART = 1024


@dataclass(frozen=True, slots=True)
class Similar:
    """Somebody enrolled whose nearest encoding is within the threshold: Euclidean distances."""

    person: str
    name: str
    distance: float
    threshold: float


class KnownPeople:
    """The gallery as it is when this is made, and who was enrolled here since.

    threshold: up to which two photos are taken for one person's.
    """

    def __init__(self, gallery: Gallery, encoder: Encoder) -> None:
        replica = Replica(gallery.client, gallery.keys, worker=None, encoder=encoder.id)
        try:
            replica.load()
        except EncoderMismatch:
            pass  # `Gallery.enrol` refuses such a gallery, and says what to do
        self._view = replica.view
        self._index = self._view.index
        self.threshold = (self._view.calibration or encoder).threshold
        self._names: dict[str, str] = {}
        self._apart: dict[str, Encodings] = {}
        self._owners: list[str] = []
        self._rows = np.empty((APART, *NOBODY.shape[1:]), np.float32)

    def add(self, person: EnrolledPerson, encodings: Encodings) -> None:
        """Somebody who was enrolled just now. encodings: all of theirs, `(k, 128)`."""
        self._names[person.id] = person.name
        self._apart[person.id] = encodings
        start, end = len(self._owners), len(self._owners) + len(encodings)
        if end > APART:
            self._index = self._index.changed(self._apart)
            if self._index.worn:
                self._index = self._index.rebuilt()
            self._apart, self._owners = {}, []
            return
        self._rows[start:end] = encodings
        self._owners += [person.id] * len(encodings)

    def similar(self, probes: Encodings, *, but: str | None) -> list[Similar | None]:
        """For each of `(n, 128)` probes the nearest person, if within the threshold.

        but: the id of a person who is left out. Raises RedisError.
        """
        found = self._index.search(probes, within=self.threshold)
        apart = self._nearest_apart(probes, but)
        nearest = [
            min(
                ((c.distance, c.person) for c in (*candidates, *near) if c.person != but),
                default=(np.inf, ""),
            )
            for candidates, near in zip(found, apart, strict=True)
        ]
        return [self._similar(person, distance) for distance, person in nearest]

    def _similar(self, person: str, distance: float) -> Similar | None:
        """None also for whoever was removed since."""
        if distance > self.threshold:
            return None
        name = self._names.get(person)
        if name is None:
            read = self._view.people.get(person)
            name = None if read is None else read.name
        return None if name is None else Similar(person, name, distance, self.threshold)

    def _nearest_apart(self, probes: Encodings, but: str | None) -> list[list[Candidate]]:
        others = np.array([owner != but for owner in self._owners], np.bool_)
        if not others.any():
            return [[] for _ in probes]
        rows = self._rows[: len(self._owners)][others]
        owners = [owner for owner in self._owners if owner != but]
        nearest = np.argmax(probes @ rows.T, axis=1)
        distances = np.linalg.norm(rows[nearest] - probes, axis=1)
        return [
            [Candidate(owners[row], float(distance))]
            for row, distance in zip(nearest, distances, strict=True)
        ]
