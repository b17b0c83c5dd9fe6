"""A part of an index: rows, whose they are, and which of them count no longer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facetrail.wire import Encodings
from index.codes import CHUNK, NUMBERS, Halves, Rows, Similarities
from index.rows import Gone, Nearest

#: Ids of people, one a row.
Ids = NDArray[np.bytes_]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Rows, and whose they are.

    people: ids, sorted. owners: of each row, its place among them, counted from `first_owner`.
    gone: rows that no longer count.
    """

    people: Ids
    owners: NDArray[np.int32]
    rows: Nearest
    gone: Gone
    first_owner: int

    @classmethod
    def of(cls, ids: Ids, rows: Nearest, *, first_owner: int = 0) -> Part:
        """ids: the person's of each row."""
        # A person's rows mostly follow one another: only the first of each is sorted.
        first = np.flatnonzero(np.concatenate([ids[:1] == ids[:1], ids[1:] != ids[:-1]]))
        people, places = np.unique(ids[first], return_inverse=True)
        placed = (places + first_owner).astype(np.int32)
        owners = np.repeat(placed, np.diff(first, append=len(ids)))
        return cls(people, owners, rows, np.zeros(len(ids), np.bool_), first_owner)

    def __len__(self) -> int:
        """How many rows count."""
        return len(self.gone) - self.masked

    @property
    def masked(self) -> int:
        """How many rows are here, but no longer count."""
        return int(np.count_nonzero(self.gone))

    def without(self, ids: Ids) -> Part:
        """The same, in which no row of these people counts."""
        owners = self.owners_of(ids)
        if not len(owners):
            return self
        theirs = np.zeros(len(self.people), np.bool_)
        theirs[owners - self.first_owner] = True
        return replace(self, gone=self.gone | theirs[self.owners - self.first_owner])

    def owners_of(self, ids: Ids) -> NDArray[np.int64]:
        """Of those among these people who are here."""
        places = np.searchsorted(self.people, ids)
        there = np.searchsorted(self.people, ids, side="right") > places
        return np.asarray(places[there] + self.first_owner)

    def name(self, owner: int) -> str:
        return str(self.people[owner - self.first_owner].decode())

    def nearest(self, probes: Encodings, least: float | None) -> tuple[Similarities, Rows]:
        """The most similar rows, best first, and their owners; -1 is of a row that is gone.

        least: see `index.rows.Nearest`.
        """
        similarities, rows = self.rows.nearest(probes, self.gone, least)
        if not rows.size:
            return similarities, rows
        gone = self.gone[rows]
        return np.where(gone, -np.inf, similarities), np.where(gone, -1, self.owners[rows])

    def nearest_of_each(self, probe: Encodings) -> Similarities:
        """How near each of the people is by their nearest row; -inf: none of theirs counts."""
        similarities = np.where(self.gone, -np.inf, self.rows.similarities(probe))
        best = np.full(len(self.people), -np.inf, np.float32)
        np.maximum.at(best, self.owners - self.first_owner, similarities)
        return best

    def rows_of(self, ids: Ids) -> Encodings:
        """The encodings of these people that count, float32 `(k, 128)`."""
        theirs = np.isin(self.owners, self.owners_of(ids)) & ~self.gone
        return self.rows.encodings[theirs].astype(np.float32, copy=False)

    def kept(self) -> Iterator[tuple[str, Encodings]]:
        """Everyone who counts, and their encodings, float32 `(k, 128)`."""
        order = np.argsort(self.owners, kind="stable")
        order = order[~self.gone[order]]
        starts = np.flatnonzero(np.diff(self.owners[order], prepend=-1))
        for rows in np.split(order, starts[1:]) if len(order) else ():
            own = self.rows.encodings[rows].astype(np.float32, copy=False)
            yield self.name(self.owners[rows[0]]), own


def gathered(parts: Sequence[Part]) -> tuple[Ids, Encodings | Halves]:
    """The ids and the encodings of all rows that count, as the first part keeps them."""
    kept = [np.flatnonzero(~part.gone) for part in parts]
    ids = [
        part.people[part.owners[rows] - part.first_owner]
        for part, rows in zip(parts, kept, strict=True)
    ]
    start, made = 0, np.empty((sum(map(len, kept)), NUMBERS), parts[0].rows.encodings.dtype)
    for part, rows in zip(parts, kept, strict=True):
        for some in np.split(rows, range(CHUNK, len(rows), CHUNK)):  # no second copy of them all
            made[start : start + len(some)] = part.rows.encodings[some]
            start += len(some)
    return np.concatenate(ids), made


def in_bytes(people: Sequence[str] | Ids) -> Ids:
    if isinstance(people, np.ndarray):
        return people
    return np.array([person.encode() for person in people], np.bytes_)
