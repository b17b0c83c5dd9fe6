"""An index is built in a thread of its own, while the old one serves and changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from facetrail.wire import Encodings
from index.face_index import Candidate, FaceIndex
from index.rows import EXACT, NOBODY

_ANY = np.eye(1, 128, dtype=np.float32)[0]


class Rebuilding:
    """Builds an index. position: of the log, that it stands at."""

    def __init__(self, build: Callable[[], FaceIndex], position: str) -> None:
        self.position = position
        self._make = build
        self._built: FaceIndex | None = None
        self._since: dict[str, Encodings] = {}
        self._thread = threading.Thread(target=self._build, name="index", daemon=True)
        self._thread.start()

    def _build(self) -> None:
        self._built = self._make()

    def change(self, people: Mapping[str, Encodings]) -> None:
        """What has changed since, for the new one."""
        self._since |= people

    def result(self) -> FaceIndex | None:
        """The new index with all changes since, once it is there."""
        if self._built is None:
            return None
        return self._built.changed(self._since) if self._since else self._built


@dataclass(frozen=True, slots=True)
class Searched:
    """An index that never changes slowly: where a change would build codes of it, which takes
    seconds, it is kept beside the index until `rebuilt` has been called aside.

    beside: by id, the encodings of everyone who changed since, float32 `(k, 128)`.
    """

    index: FaceIndex
    beside: Mapping[str, Encodings] = field(default_factory=dict)
    _newer: FaceIndex = field(default_factory=lambda: FaceIndex([], NOBODY))

    def __len__(self) -> int:
        """How many rows count."""
        return len(self.index) - _rows(self.index, self.beside) + len(self._newer)

    @property
    def is_due(self) -> bool:
        """Whether it is time to build it anew."""
        return bool(self.beside) or self.index.worn

    def changed(self, people: Mapping[str, Encodings]) -> Searched:
        """The same in which these people have just these encodings; with none they are gone."""
        if self.beside or _outgrows(self.index, people):
            return Searched(self.index, {**self.beside, **people}, self._newer.changed(people))
        return Searched(self.index.changed(people))

    def rebuilt(self) -> FaceIndex:
        """The same people in one index."""
        return self.index.changed(self.beside) if self.beside else self.index.rebuilt()

    def nearest(self, probe: Encodings, within: float) -> Candidate | None:
        """Of `(128,)` the nearest of all. within: as `FaceIndex.search` has it."""
        if not self.beside:
            return next(iter(self.index.search(probe[None], within=within)[0]), None)
        others = self.index.nearest_but(probe, self.beside)
        found = [*self._newer.nearest_people(probe, 1), *([others] if others else [])]
        return min(found, key=lambda one: one.distance, default=None)


def _outgrows(index: FaceIndex, people: Mapping[str, Encodings]) -> bool:
    """Whether codes will be made of an index that has none."""
    new = sum(map(len, people.values()))
    if not len(index) <= EXACT < len(index) + new:
        return False
    return len(index) - _rows(index, people) + new > EXACT


def _rows(index: FaceIndex, people: Mapping[str, Encodings]) -> int:
    """How many of the index are these people's."""
    return sum(len(index.distances_to(person, _ANY)) for person in people)
