"""Chips, and whose they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facetrail.wire import Chips


@dataclass(frozen=True, slots=True, eq=False)
class LabelledChips:
    """Uint8 `(n, 112, 112, 3)`, and whose they are: int `(n,)`, UNNAMED for nobody's."""

    chips: Chips
    labels: NDArray[np.int_]

    def people_with(self, photos: int) -> NDArray[np.int_]:
        """The labels of everyone with at least so many photos."""
        labels, counts = np.unique(self.labels[self.labels >= 0], return_counts=True)
        return labels[counts >= photos]
