"""FAISS behind one class: who is nearest?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from facetrail.errors import BadEncodings
from facetrail.wire import Encodings
from index.codes import NUMBERS, Halves, Rows, Similarities
from index.freed import give_back
from index.lengths import of_length_one
from index.part import Ids, Part, gathered, in_bytes
from index.rows import EXACT, NEIGHBOURS, NOBODY, ExactRows, searchable

#: Share of masked rows from which an index is worn.
WORN = 0.1


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person and the Euclidean distance of their nearest encoding, 0 to 2.

    agreeing: how many of the nearest encodings of all are this person's; 1 if nobody counted.
    """

    person: str
    distance: float
    agreeing: int = 1


class FaceIndex:
    """Encodings and whose they are. Never changed: a change makes another one, so any thread may
    search, change and rebuild it at any time.

    people: the person's id of each row, as strings, or in bytes as a numpy array like `S12`.
    encodings: float32 `(n, 128)`, rows of length 1; they are copied, and may change afterwards.
    half: of a large index, keep them in 16 bits; a small one ignores it until it has grown.
    Rows lie in a block, which `rows.searchable` says how to search. In a large index those of
    everyone who changed since it was built lie in a tail that is compared exactly, and are
    masked in the block. Raises BadEncodings for encodings of another kind.
    """

    def __init__(
        self, people: Sequence[str] | Ids, encodings: Encodings, *, half: bool = False
    ) -> None:
        self._build(in_bytes(people), checked(encodings).copy(), half)

    @classmethod
    def of(
        cls, people: Sequence[str] | Ids, encodings: Encodings, *, half: bool = False
    ) -> FaceIndex:
        """An index that takes over the array it is given, which must never change again."""
        made = cls.__new__(cls)
        made._build(in_bytes(people), checked(encodings), half)
        return made

    def _build(self, ids: Ids, encodings: Encodings | Halves, half: bool) -> None:
        if len(ids) != len(encodings):
            raise BadEncodings(f"expected {len(ids)} encodings, got {len(encodings)}")
        block = Part.of(ids, searchable(encodings, half=half))
        self._half = half
        self._parts = (block, _tail(in_bytes([]), NOBODY, block))
        if not isinstance(block.rows, ExactRows):
            give_back()

    def __len__(self) -> int:
        """How many rows count."""
        return sum(len(part) for part in self._parts)

    @property
    def masked(self) -> int:
        """How many rows are still in memory, but no longer count."""
        return sum(part.masked for part in self._parts)

    @property
    def worn(self) -> bool:
        """Whether so much was changed that a new one is worth its building."""
        block, tail = self._parts
        if isinstance(block.rows, ExactRows):
            return len(self) > EXACT  # it has grown, and is to have codes
        return len(tail) > EXACT or self.masked > max(EXACT, WORN * len(block.owners))

    def people(self) -> dict[str, Encodings]:
        """Everyone's encodings, float32 `(k, 128)`, by id."""
        block, tail = self._parts
        return dict(block.kept()) | dict(tail.kept())

    def changed(self, people: Mapping[str, Encodings]) -> FaceIndex:
        """The index in which these people have just these encodings; with none they are gone.

        A small one is made anew, so that nothing of whoever was removed stays in it; of the block
        of a large one, or of one that has just become large, they are masked until it is rebuilt,
        which takes seconds.
        """
        ids = in_bytes(list(people))
        given = [checked(rows) for rows in people.values()]
        block, tail = (part.without(ids) for part in self._parts)
        others, kept = gathered([tail])
        theirs = np.repeat(ids, [len(rows) for rows in given])
        made = FaceIndex.__new__(FaceIndex)
        made._half = self._half
        made._parts = (
            block,
            _tail(np.concatenate([others, theirs]), np.concatenate([kept, *given]), block),
        )
        is_small = isinstance(block.rows, ExactRows) and len(made) <= EXACT
        return made.rebuilt() if is_small else made

    def rebuilt(self) -> FaceIndex:
        """The same people in an index of one block."""
        made = FaceIndex.__new__(FaceIndex)
        made._build(*gathered(self._parts), self._half)
        return made

    def search(self, probes: Encodings, *, within: float | None = None) -> list[list[Candidate]]:
        """For each of `(n, 128)` probes the nearest person and the runner-up, if any.

        within: a Euclidean distance, such as a threshold, if only that matters: a large index takes
        more pains to tell whether anybody is as near, and fewer with who is the nearest beyond.
        """
        probes = checked(probes)
        owners, similarities = self._neighbours(
            probes, None if within is None else 1 - within**2 / 2
        )
        if not owners.size:
            return [[] for _ in probes]
        others = (owners != owners[:, :1]) & (owners >= 0)  # (n, k)
        runners_up = np.argmax(others, axis=1)  # 0: there is none among the neighbours
        places = np.stack([np.zeros_like(runners_up), runners_up], axis=1)  # (n, 2)
        pairs = zip(
            np.take_along_axis(owners, places, axis=1).tolist(),
            np.take_along_axis(similarities, places, axis=1).tolist(),
            strict=True,
        )
        found = [
            # Masked rows, or one person's photos, may have filled the neighbours.
            zip(*pair, strict=True) if second else _largest(self._nearest_of_each(probe), 2)
            for probe, pair, second in zip(probes, pairs, runners_up.tolist(), strict=True)
        ]
        neighbours = owners[:, :NEIGHBOURS].tolist()
        return [
            [
                Candidate(self._name(owner), _distance(near), own.count(owner))
                for owner, near in nearest
            ]
            for nearest, own in zip(found, neighbours, strict=True)
        ]

    def nearest_people(self, probe: Encodings, count: int) -> list[Candidate]:
        """Of `(128,)` the nearest people, nearest first. Every row is compared."""
        nearest = _largest(self._nearest_of_each(probe), count)
        return [Candidate(self._name(owner), _distance(near)) for owner, near in nearest]

    def nearest_but(self, probe: Encodings, people: Collection[str]) -> Candidate | None:
        """Of `(128,)` the nearest person who is none of these. Every row is compared."""
        similarities = self._nearest_of_each(probe)
        for part in self._parts:
            similarities[part.owners_of(in_bytes(list(people)))] = -np.inf
        nearest = _largest(similarities, 1)
        return Candidate(self._name(nearest[0][0]), _distance(nearest[0][1])) if nearest else None

    def distances_to(self, person: str, probe: Encodings) -> Encodings:
        """From `(128,)` to each of a person's encodings, Euclidean, float32 `(k,)`."""
        (probe,), ids = checked(probe[None]), in_bytes([person])
        rows = np.concatenate([part.rows_of(ids) for part in self._parts])
        return np.asarray(np.linalg.norm(rows - probe, axis=1), np.float32)

    def _neighbours(self, probes: Encodings, least: float | None) -> tuple[Rows, Similarities]:
        """The owners of the most similar rows, best first, `(n, k)`, and how similar."""
        found = [part.nearest(probes, least) for part in self._parts]
        similarities = np.concatenate([similarities for similarities, _ in found], axis=1)
        owners = np.concatenate([owners for _, owners in found], axis=1)
        best = np.argsort(-similarities, axis=1, kind="stable")
        return np.take_along_axis(owners, best, 1), np.take_along_axis(similarities, best, 1)

    def _nearest_of_each(self, probe: Encodings) -> Similarities:
        """How near every person is, by owner; -inf: none of theirs counts."""
        (probe,) = checked(probe[None])
        return np.concatenate([part.nearest_of_each(probe) for part in self._parts])

    def _name(self, owner: int) -> str:
        block, tail = self._parts
        return (block if owner < tail.first_owner else tail).name(owner)


def _tail(ids: Ids, encodings: Encodings, block: Part) -> Part:
    """The people who changed since the block was built."""
    return Part.of(ids, ExactRows(encodings), first_owner=len(block.people))


def _largest(similarities: Similarities, count: int) -> list[tuple[int, float]]:
    """The places of so many of the largest numbers, and the numbers; never -inf."""
    places = np.flatnonzero(similarities > -np.inf)
    if count < len(places):
        places = places[np.argpartition(-similarities[places], count)[:count]]
    places = places[np.argsort(-similarities[places], kind="stable")]
    return list(zip(places.tolist(), similarities[places].tolist(), strict=True))


def _distance(similarity: float) -> float:
    """Euclidean, of unit vectors with this inner product."""
    return float(max(0.0, 2 - 2 * similarity) ** 0.5)


def checked(encodings: Encodings) -> Encodings:
    """The encodings, if they can be searched. Raises BadEncodings."""
    if encodings.ndim != 2 or encodings.shape[1] != NUMBERS:
        raise BadEncodings(f"expected shape (n, {NUMBERS}), got {encodings.shape}")
    if encodings.dtype != np.float32:
        raise BadEncodings(f"expected dtype float32, got {encodings.dtype}")
    if not of_length_one(encodings).all():
        raise BadEncodings("expected rows of length 1, got others")
    return np.ascontiguousarray(encodings)
