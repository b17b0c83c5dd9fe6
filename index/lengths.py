"""Encodings are of length 1: one measure of that, for all who let them in or search them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facetrail.wire import Encodings

#: What the length of a row may be off 1, less than this.
OFF_LENGTH = 1e-3


def of_length_one(rows: Encodings) -> NDArray[np.bool_]:
    """Which rows of float32 `(n, k)` are; one with a number that is none is not."""
    with np.errstate(all="ignore"):  # they may be any bytes
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        return np.asarray(np.abs(lengths - 1) < OFF_LENGTH)
