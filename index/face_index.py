"""FAISS behind one class: who is nearest?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from facetrail.errors import BadEncodings
from facetrail.wire import Encodings
from index.part import NEIGHBOURS, Part
from index.rows import EXACT, NOBODY, NUMBERS, ExactRows, Rows, Similarities, searchable

#: Share of masked rows from which an index is worn.
WORN = 0.1


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person and the Euclidean distance of their nearest encoding, 0 to 2.

    agreeing: how many of the nearest encodings of all are this person's.
    """

    person: str
    distance: float
    agreeing: int = 1


class FaceIndex:
    """Encodings and whose they are. Never changed: a change makes another one.

    people: the person's id of each row. encodings: float32 `(n, 128)`, rows of length 1.
    Rows lie in a block, which `rows.searchable` says how to search. In a large index those of
    everyone who changed since it was built lie in a tail that is compared exactly, and are
    masked in the block. Raises BadEncodings for encodings of another kind.
    """

    def __init__(self, people: Sequence[str], encodings: Encodings) -> None:
        if len(people) != len(encodings):
            raise BadEncodings(f"expected {len(people)} encodings, got {len(encodings)}")
        block = Part.of(people, searchable(checked(encodings).copy()))
        self._parts = (block, _tail({}, block))

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts)

    def people(self) -> dict[str, Encodings]:
        """Everyone's encodings, float32 `(k, 128)`, by id."""
        return dict(self._block.kept()) | dict(self._tail.kept())

    def changed(self, people: Mapping[str, Encodings]) -> FaceIndex:
        """The index in which these people have just these encodings; with none they are gone.

        A small one is made anew, so that nothing of whoever was removed stays in it; of a large
        one's block they are masked until it is rebuilt.
        """
        given = {person: checked(rows) for person, rows in people.items()}
        if isinstance(self._block.rows, ExactRows):
            return FaceIndex(*_rows_of(self.people() | given))
        made = FaceIndex.__new__(FaceIndex)
        block = self._block.without(list(people))
        made._parts = (block, _tail(dict(self._tail.kept()) | given, block))
        return made

    @property
    def _block(self) -> Part:
        return self._parts[0]

    @property
    def _tail(self) -> Part:
        return self._parts[1]

    @property
    def worn(self) -> bool:
        """Whether so much was changed that a new one is worth its building."""
        masked = int(np.sum(self._block.masked))
        return len(self._tail) > EXACT or masked > max(EXACT, WORN * len(self._block.owners))

    def rebuilt(self) -> FaceIndex:
        """The same people in an index of one block."""
        return FaceIndex(*_rows_of(self.people()))

    def search(self, probes: Encodings) -> list[list[Candidate]]:
        """For each of `(n, 128)` probes the nearest person and the runner-up, if any."""
        probes = checked(probes)
        found = [part.nearest(probes) for part in self._parts]
        similarities = np.concatenate([similarities for similarities, _ in found], axis=1)
        owners = np.concatenate([owners for _, owners in found], axis=1)
        best = np.argsort(-similarities, axis=1, kind="stable")[:, :NEIGHBOURS]
        similarities = np.take_along_axis(similarities, best, axis=1)
        owners = np.take_along_axis(owners, best, axis=1)
        return [self._two_nearest(*row) for row in zip(probes, owners, similarities, strict=True)]

    def _two_nearest(
        self, probe: Encodings, owners: Rows, similarities: Similarities
    ) -> list[Candidate]:
        best: dict[int, float] = {}
        for owner, similarity in zip(owners, similarities, strict=True):
            if owner >= 0:
                best.setdefault(int(owner), float(similarity))
            if len(best) == 2:
                break
        while len(best) < 2:  # masked rows, or one person's photos, filled the neighbours
            other = self._nearest_but(probe, list(best))
            if other is None:
                break
            best[other[0]] = other[1]
        return [
            Candidate(self._name(owner), _distance(similarity), int(np.sum(owners == owner)))
            for owner, similarity in best.items()
        ]

    def _nearest_but(self, probe: Encodings, owners: Sequence[int]) -> tuple[int, float] | None:
        """Among all rows, but those of these people: the nearest owner and similarity."""
        found = [part.nearest_but(probe, owners) for part in self._parts]
        return max((one for one in found if one), key=lambda one: one[1], default=None)

    def _name(self, owner: int) -> str:
        part = self._block if owner < self._tail.first_owner else self._tail
        return str(part.people[owner - part.first_owner].decode())


def _tail(people: Mapping[str, Encodings], block: Part) -> Part:
    """The people who changed since the block was built."""
    ids, rows = _rows_of(people)
    return Part.of(ids, ExactRows(rows), first_owner=len(block.people))


def _rows_of(people: Mapping[str, Encodings]) -> tuple[list[str], Encodings]:
    """The person's id of each row, and the rows."""
    ids = [person for person, rows in people.items() for _ in rows]
    return ids, np.concatenate([NOBODY, *people.values()])


def _distance(similarity: float) -> float:
    """Euclidean, of unit vectors with this inner product."""
    return float(max(0.0, 2 - 2 * similarity) ** 0.5)


def checked(encodings: Encodings) -> Encodings:
    """The encodings, if they can be searched. Raises BadEncodings."""
    if encodings.ndim != 2 or encodings.shape[1] != NUMBERS:
        raise BadEncodings(f"expected shape (n, {NUMBERS}), got {encodings.shape}")
    if encodings.dtype != np.float32:
        raise BadEncodings(f"expected dtype float32, got {encodings.dtype}")
    if not np.allclose(np.linalg.norm(encodings, axis=1), 1.0, atol=1e-3):
        raise BadEncodings("expected rows of length 1, got others")
    return np.ascontiguousarray(encodings)
