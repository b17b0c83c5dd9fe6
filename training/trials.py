"""Searches a gallery for its own photos and for those of strangers.

An enrolled person is a stranger to the rest: each photo is searched for without its person
(does it get a name?), and among its person's other photos (does it get the right one?).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facetrail.wire import Encodings
from training.identification import Lookup

#: Probes searched for at once; bounds the memory.
BLOCK = 1024
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """What n probes found.

    truth: a place among the enrolled for each probe, or -1 for a stranger. weight: of each
    probe; each person's photos have one part of 1 together, however many there are.
    independent: how many trials they come to that do not depend on each other.
    """

    found: Lookup
    truth: NDArray[np.int_]
    weight: Floats
    independent: float

    def __len__(self) -> int:
        return len(self.weight)


def trials_of(
    enrolled: Sequence[Encodings], strangers: Sequence[Encodings]
) -> tuple[Trials, Trials]:
    """Of strangers, the enrolled first, and of enrolled people with more than one photo.

    enrolled, strangers: `(k, 128)` for each person; at least two people are enrolled.
    """
    counts = [len(rows) for rows in (*enrolled, *strangers)]
    gallery = _Gallery(enrolled)
    alone, known = gallery.own()
    unknown = _joined([alone, *gallery.others(strangers)])
    nobody = np.full(len(unknown.person), -1)
    one, others = len(enrolled), len(strangers)
    # A distance has two ends: where Ada is taken for Ben, Ben is taken for Ada. So two enrolled
    # people are one trial; the variance of a sum over all is that of 2 * one + others.
    free = (one + others) ** 2 / (2 * one + others)
    several = np.repeat(np.array(counts[:one]) > 1, counts[:one])
    repeated = [count for count in counts[:one] if count > 1]
    return (
        Trials(unknown, nobody, _weights(counts), free),
        Trials(_where(known, several), gallery.whose[several], _weights(repeated), len(repeated)),
    )


class _Gallery:
    """The photos of all people in one array, person after person."""

    def __init__(self, enrolled: Sequence[Encodings]) -> None:
        counts = [len(photos) for photos in enrolled]
        self._rows = np.concatenate(enrolled)
        self._starts = np.cumsum([0, *counts[:-1]])
        self.whose = np.repeat(np.arange(len(enrolled)), counts)

    def own(self) -> tuple[Lookup, Lookup]:
        """Each photo among all others: without its person, and with."""
        alone, known = [], []
        for block in _blocks(len(self._rows)):
            best = self._best(self._rows[block], itself=block)
            known.append(_found(best))
            best[np.arange(len(block)), self.whose[block]] = -np.inf
            alone.append(_found(best))
        return _joined(alone), _joined(known)

    def others(self, strangers: Sequence[Encodings]) -> list[Lookup]:
        if not strangers:
            return []
        rows = np.concatenate(strangers)
        return [_found(self._best(rows[block])) for block in _blocks(len(rows))]

    def _best(
        self, probes: Encodings, itself: NDArray[np.int_] | None = None
    ) -> NDArray[np.float32]:
        """Float32 `(n, people)`: similarity to each person's nearest photo.

        itself: the places of the probes among the photos, which are left out.
        """
        similarity = probes @ self._rows.T
        if itself is not None:
            similarity[np.arange(len(probes)), itself] = -np.inf
        return np.asarray(np.maximum.reduceat(similarity, self._starts, axis=1), np.float32)


def _blocks(count: int) -> Iterator[NDArray[np.int_]]:
    for start in range(0, count, BLOCK):
        yield np.arange(start, min(start + BLOCK, count))


def _found(best: NDArray[np.float32]) -> Lookup:
    """The nearest person of each row, and by how much they lead: infinitely over nobody."""
    person = np.argmax(best, axis=1)
    second = best.copy()
    second[np.arange(len(best)), person] = -np.inf
    nearest, runner_up = (
        np.sqrt(np.maximum(0, 2 - 2 * similarity))
        for similarity in (best[np.arange(len(best)), person], second.max(axis=1))
    )
    return Lookup(person, nearest, runner_up - nearest)


def _joined(parts: Sequence[Lookup]) -> Lookup:
    names = ("person", "distance", "lead")
    return Lookup(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _where(found: Lookup, chosen: NDArray[np.bool_]) -> Lookup:
    return Lookup(found.person[chosen], found.distance[chosen], found.lead[chosen])


def _weights(counts: Sequence[int]) -> Floats:
    """One part of 1 for each person, shared by their photos."""
    return np.repeat([1 / (len(counts) * count) for count in counts], counts)
