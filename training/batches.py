"""Batches to train on: P people with K photos each, and more faces for the teacher's sake."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from facetrail.wire import Chips
from training.augmentation import Augmentation, blended
from training.faces import Encodes
from training.labelled import LabelledChips
from training.plan import UNNAMED, BatchSize

#: Chance that a face for the teacher's sake is two, blended.
BLEND = 0.3


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """One pass sees as many chips as there are.

    Each batch is drawn from its own seed, so that a resumed training sees the same ones.
    passed: passes already made.
    """

    def __init__(
        self,
        data: LabelledChips,
        size: BatchSize,
        *,
        teacher: Encodes | None,
        augmentation: Augmentation,
        seed: int,
        passed: int = 0,
    ) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        self.data = data
        self.size = size
        self.teacher = teacher
        self.augmentation = augmentation
        self.seed = seed
        self.passed = passed
        several = data.people_with(2)
        self._rows = {label: np.flatnonzero(data.labels == label) for label in several}
        # Whoever has many photos comes more often, but not as often as they have photos.
        weights = np.sqrt([len(rows) for rows in self._rows.values()])
        self._people, self._chances = several, weights / weights.sum() if len(several) else weights

    def __len__(self) -> int:
        return -(-len(self.data.chips) // self.size.total)

    def on_epoch_end(self) -> None:
        self.passed += 1

    def __getitem__(self, step: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Chips `(n, 112, 112, 3)`; labels `(n, 1)`, with a teacher `(n, 129)`."""
        random = np.random.default_rng((self.seed, self.passed, step))
        rows = self._triplet_rows(random)
        chips = [self.augmentation.of(self.data.chips[row], random) for row in rows]
        labels = np.full(self.size.total, UNNAMED, np.float32)
        labels[: len(rows)] = self.data.labels[rows]
        chips += [self._other(random) for _ in range(self.size.total - len(rows))]
        batch = np.stack(chips)
        targets = labels[:, None]
        if self.teacher is not None:
            targets = np.concatenate([targets, self.teacher.encode(batch)], axis=1)
        return batch.astype(np.float32), targets

    def _triplet_rows(self, random: np.random.Generator) -> list[int]:
        count = min(self.size.people, len(self._people))
        if not count:
            return []
        people = random.choice(self._people, count, replace=False, p=self._chances)
        return [row for person in people for row in self._photos_of(person, random)]

    def _photos_of(self, person: int, random: np.random.Generator) -> list[int]:
        """K photos; each several times, differently augmented, if there are fewer."""
        rows = random.permutation(self._rows[person])
        return [int(row) for row in np.resize(rows, self.size.photos)]

    def _other(self, random: np.random.Generator) -> Chips:
        one, other = (
            self.augmentation.of(self.data.chips[row], random)
            for row in random.integers(len(self.data.chips), size=2)
        )
        if random.random() < BLEND:
            return blended(one, other, random.uniform(0.3, 0.7))
        return one
