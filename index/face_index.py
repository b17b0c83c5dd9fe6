"""FAISS behind one class: who is nearest?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from facetrail.errors import BadEncodings
from facetrail.wire import Encodings

NUMBERS = 128
#: Neighbours looked at; enough that a person with many photos does not hide the runner-up.
NEIGHBOURS = 32


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person and the Euclidean distance of their nearest encoding, 0 to 2."""

    person: str
    distance: float


class FaceIndex:
    """Encodings and whose they are. Never changed: a change makes another one.

    people: the person's id of each row. encodings: float32 `(n, 128)`, rows of length 1.
    Search is exact. Raises BadEncodings for others.
    """

    def __init__(self, people: Sequence[str], encodings: Encodings) -> None:
        if len(people) != len(encodings):
            raise BadEncodings(f"expected {len(people)} encodings, got {len(encodings)}")
        self._people = list(people)
        self._persons = len(set(people))
        self._faiss = faiss.IndexFlatIP(NUMBERS)
        self._faiss.add(checked(encodings))

    def __len__(self) -> int:
        return len(self._people)

    def search(self, probes: Encodings) -> list[list[Candidate]]:
        """For each of `(n, 128)` probes the nearest person and the runner-up, if any."""
        probes = checked(probes)
        if not len(self) or not len(probes):
            return [[] for _ in probes]
        similarities, rows = self._faiss.search(probes, min(NEIGHBOURS, len(self)))
        found = [
            self._two_nearest(row, distance)
            for row, distance in zip(rows, _distances(similarities), strict=True)
        ]
        return [
            candidates if len(candidates) == min(2, self._persons) else self._all(probe)
            for candidates, probe in zip(found, probes, strict=True)
        ]

    def _all(self, probe: Encodings) -> list[Candidate]:
        """Among all rows: one person's photos filled the neighbours."""
        similarities, rows = self._faiss.search(probe[None], len(self))
        return self._two_nearest(rows[0], _distances(similarities[0]))

    def _two_nearest(
        self, rows: NDArray[np.int64], distances: NDArray[np.float32]
    ) -> list[Candidate]:
        best: dict[str, float] = {}
        for row, distance in zip(rows, distances, strict=True):
            best.setdefault(self._people[row], float(distance))
            if len(best) == 2:
                break
        return [Candidate(person, distance) for person, distance in best.items()]


def _distances(similarities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Euclidean distances of unit vectors with these inner products."""
    return np.sqrt(np.maximum(0, 2 - 2 * similarities))


def checked(encodings: Encodings) -> Encodings:
    """The encodings, if they can be searched. Raises BadEncodings."""
    if encodings.ndim != 2 or encodings.shape[1] != NUMBERS:
        raise BadEncodings(f"expected shape (n, {NUMBERS}), got {encodings.shape}")
    if encodings.dtype != np.float32:
        raise BadEncodings(f"expected dtype float32, got {encodings.dtype}")
    if not np.allclose(np.linalg.norm(encodings, axis=1), 1.0, atol=1e-3):
        raise BadEncodings("expected rows of length 1, got others")
    return np.ascontiguousarray(encodings)
