"""People kept back from training, to verify on after each pass."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import keras
import numpy as np
import structlog
from keras import ops
from numpy.typing import NDArray

from facetrail.wire import Chips, Encodings
from training.labelled import LabelledChips
from training.lfw import Pair, Verification, verify

PAIRS_EACH = 20  # same pairs of one person at most
BATCH = 64
ENOUGH = 10  # people with several photos, of whom two can be spared

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Chips `(n, 112, 112, 3)` and pairs of them, named by their place."""

    chips: Chips
    pairs: list[Pair]

    def verify(self, model: keras.Model) -> Verification:
        """How well the model tells these people apart."""
        encodings = encodings_of(self.chips, model)
        return verify(self.pairs, {_name(row): one for row, one in enumerate(encodings)})


def encodings_of(chips: Chips, model: keras.Model) -> Encodings:
    """Float32 `(n, 128)`, in batches, without a word."""
    batches = (chips[i : i + BATCH].astype(np.float32) for i in range(0, len(chips), BATCH))
    return np.concatenate([ops.convert_to_numpy(model(batch, training=False)) for batch in batches])


def split(data: LabelledChips, share: float, seed: int) -> tuple[LabelledChips, HeldOut | None]:
    """Keeps back a share of the people with several photos, two of ten at the least.

    None where that is not two people, and a warning unless none are wanted.
    """
    random = np.random.default_rng((seed, 0))
    several = data.people_with(2)
    least = 2 if share and len(several) >= ENOUGH else 0
    kept = random.permutation(several)[: max(round(share * len(several)), least)]
    if len(kept) < 2:
        if share:
            log.warning(
                "nobody is held out: training neither verifies nor ends early, and its encoder "
                "has no threshold; a larger --held-out, or more people",
                with_several_photos=len(several),
            )
        return data, None
    held = np.isin(data.labels, kept)
    rest = LabelledChips(data.chips[~held], data.labels[~held])
    return rest, HeldOut(data.chips[held], pairs_of(data.labels[held], random))


def pairs_of(labels: NDArray[np.int_], random: np.random.Generator) -> list[Pair]:
    """Some pairs of each person's chips, and as many of two people's."""
    same = [pair for label in np.unique(labels) for pair in _same(labels, label, random)]
    pairs = [Pair(0, _name(a), _name(b), same=True) for a, b in same]
    while len(pairs) < 2 * len(same):
        a, b = random.integers(len(labels), size=2)
        if labels[a] != labels[b]:
            pairs.append(Pair(0, _name(a), _name(b), same=False))
    return pairs


def _same(
    labels: NDArray[np.int_], label: int, random: np.random.Generator
) -> list[tuple[int, int]]:
    pairs = list(combinations(np.flatnonzero(labels == label), 2))
    return [pairs[place] for place in random.permutation(len(pairs))[:PAIRS_EACH]]


def _name(row: int) -> Path:
    return Path(str(row))
