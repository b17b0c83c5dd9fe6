"""A part of an index: rows, whose they are, and which of them count no longer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facetrail.wire import Encodings
from index.rows import Nearest, Rows, Similarities

#: Neighbours looked at; enough that a person with many photos does not hide the runner-up.
NEIGHBOURS = 32


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Rows, and whose they are.

    people: ids, in bytes, sorted. owners: of each row, its place among them, counted from
    `first_owner`. masked: rows that no longer count.
    """

    people: NDArray[np.bytes_]
    owners: NDArray[np.int32]
    rows: Nearest
    masked: NDArray[np.bool_]
    first_owner: int

    @classmethod
    def of(cls, people: Sequence[str], rows: Nearest, *, first_owner: int = 0) -> Part:
        """people: the person's id of each row."""
        unique, owners = np.unique(_bytes(people), return_inverse=True)
        placed = np.asarray(owners + first_owner, np.int32)
        return cls(unique, placed, rows, np.zeros(len(people), np.bool_), first_owner)

    def __len__(self) -> int:
        return int(np.sum(~self.masked))

    def without(self, people: Sequence[str]) -> Part:
        """The same, with all rows of these people masked."""
        ids = _bytes(people)
        places = np.searchsorted(self.people, ids)
        there = np.searchsorted(self.people, ids, side="right") > places
        gone = places[there] + self.first_owner
        return replace(self, masked=self.masked | np.isin(self.owners, gone))

    def nearest(self, probes: Encodings) -> tuple[Similarities, Rows]:
        """The most similar rows that count, best first, and their owners; -1 is nobody."""
        wanted = NEIGHBOURS if not self.masked.any() else 2 * NEIGHBOURS
        similarities, rows = self.rows.nearest(probes, wanted)
        if not rows.size:
            return similarities, rows
        gone = (rows < 0) | self.masked[rows]
        return np.where(gone, -np.inf, similarities), np.where(gone, -1, self.owners[rows])

    def nearest_but(self, probe: Encodings, owners: Sequence[int]) -> tuple[int, float] | None:
        """Among all rows that count, but those of these owners: the nearest one's, and how near."""
        counting = ~(self.masked | np.isin(self.owners, owners))
        if not counting.any():
            return None
        similarities = self.rows.encodings @ probe
        row = int(np.argmax(np.where(counting, similarities, -np.inf)))
        return int(self.owners[row]), float(similarities[row])

    def kept(self) -> Iterator[tuple[str, Encodings]]:
        """Everyone who counts, and their encodings, `(k, 128)`."""
        order = np.argsort(self.owners, kind="stable")
        order = order[~self.masked[order]]
        starts = np.flatnonzero(np.diff(self.owners[order], prepend=-1))
        for rows in np.split(order, starts[1:]) if len(order) else ():
            person = self.people[self.owners[rows[0]] - self.first_owner].decode()
            yield person, self.rows.encodings[rows]


def _bytes(people: Sequence[str]) -> NDArray[np.bytes_]:
    return np.array([person.encode() for person in people], np.bytes_)
