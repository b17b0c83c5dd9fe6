"""Where the samples of a crop lie, in one axis; no Keras, so that every runtime may use it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CHIP_SIDE = 112


@dataclass(frozen=True, slots=True)
class Axis:
    """Where the samples of one axis of a crop lie: source = step * target + start.

    size: samples in the crop; start and step: in pixels of the chip.
    """

    size: int
    start: float
    step: float

    @classmethod
    def between(cls, first: float, last: float, size: int) -> Axis:
        """That part of the chip, from edge to edge, in so many samples."""
        step = (last - first) / size
        return cls(size, start=first + step / 2 - 0.5, step=step)

    def weights(self, source: int) -> NDArray[np.float32]:
        """The float32 `(size, source)` matrix that resamples this axis linearly.

        Samples outside the source repeat its edge.
        """
        at = np.clip(self.start + self.step * np.arange(self.size), 0, source - 1)
        shares = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(source)))
        return np.asarray(shares, np.float32)


#: The chip's column that stands in each column of its mirror image. It is mirrored about
#: column 56, where the eyes, nose and mouth of the template have their middle; the middle of
#: the chip is 55.5, and a face mirrored about that would lie a pixel off the template.
MIRRORED_COLUMNS = tuple(min(CHIP_SIDE - column, CHIP_SIDE - 1) for column in range(CHIP_SIDE))
