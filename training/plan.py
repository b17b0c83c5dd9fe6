"""How to train: every choice, apart from the photos."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Mining = Literal["batch_all", "batch_hard", "semi_hard"]
ALPHA = 0.2  # FaceNet, section 3.1
#: The label of a face without a name: it is in no triplet.
UNNAMED = -1


@dataclass(frozen=True)
class BatchSize:
    """people, photos: P and K of the triplets. others: faces that only the teacher judges."""

    people: int = 4
    photos: int = 4
    others: int = 32

    @property
    def total(self) -> int:
        return self.people * self.photos + self.others


@dataclass(frozen=True)
class Plan:
    """How to train.

    passes: over the photos, of the whole schedule. rate: the highest learning rate. cycles: how
    often it falls to nothing in all these passes.
    classic: nn4.small2 with OpenFace's L2 pools and local response normalisation.
    triplet_weight: of the triplets beside a teacher. held_out: share of the people with
    several photos who are kept back. patience: passes without a better one until the end.
    """

    passes: int = 30
    batch: BatchSize = field(default_factory=BatchSize)
    mining: Mining = "semi_hard"
    alpha: float = ALPHA
    triplet_weight: float = 0.2
    rate: float = 2e-3
    cycles: int = 1
    classic: bool = True
    held_out: float = 0.05
    patience: int = 10
    seed: int = 1
