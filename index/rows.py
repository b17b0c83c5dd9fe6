"""Encodings searched by row: all of them exactly, or their codes first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from facetrail.wire import Encodings
from index.codes import CHUNK, Codes, Halves, Rows, squares
from index.codes import NUMBERS as NUMBERS

#: Up to so many rows every one is compared: that takes a few milliseconds a batch.
EXACT = 20_000
#: Neighbours looked at; enough that a person with many photos does not hide the runner-up.
NEIGHBOURS = 32
#: Candidates of the scan that are compared exactly.
RERANKED = 256
#: The best of them, which are told; enough that masked rows seldom fill them.
LISTED = 2 * NEIGHBOURS

#: No rows at all.
NOBODY: Encodings = np.empty((0, NUMBERS), np.float32)

Similarities = NDArray[np.float32]

ONE, HALF = np.float32(1), np.float32(0.5)


class Nearest(Protocol):
    """Rows that never change."""

    @property
    def encodings(self) -> Encodings | Halves:
        """`(n, 128)`."""
        ...

    def nearest(self, probes: Encodings) -> tuple[Similarities, Rows]:
        """Inner products and places of the most similar rows, best first, `(n, k)` each."""
        ...

    def similarities(self, probe: Encodings) -> Similarities:
        """The inner product of `(128,)` with every row."""
        ...


class ExactRows:
    """Every row is compared with every probe."""

    def __init__(self, encodings: Encodings) -> None:
        self.encodings = encodings

    def nearest(self, probes: Encodings, count: int = NEIGHBOURS) -> tuple[Similarities, Rows]:
        count = min(count, len(self.encodings))
        if not count:
            return np.empty((len(probes), 0), np.float32), np.empty((len(probes), 0), np.int64)
        similarities, rows = faiss.knn(
            probes, self.encodings, count, metric=faiss.METRIC_INNER_PRODUCT
        )
        return similarities, rows

    def similarities(self, probe: Encodings) -> Similarities:
        return self.encodings @ probe


class ScannedRows:
    """The codes of all rows are scanned, and the best candidates compared exactly."""

    def __init__(self, encodings: Encodings) -> None:
        self.encodings = encodings
        self._codes = Codes(encodings)

    def nearest(self, probes: Encodings) -> tuple[Similarities, Rows]:
        rows = self._codes.nearest(probes, RERANKED)
        # Without a copy of the candidates, which takes longer than to compare them.
        similarities = np.empty(rows.shape, np.float32)
        places = [faiss.swig_ptr(one) for one in (similarities, probes, self.encodings, rows)]
        faiss.fvec_inner_products_by_idx(  # type: ignore[attr-defined]  # its stubs have not all
            *places, NUMBERS, *rows.shape
        )
        return _best_first(similarities, rows)

    def similarities(self, probe: Encodings) -> Similarities:
        return self.encodings @ probe


class HalfRows:
    """As ScannedRows, but what is compared has numbers of 16 bits: half the memory.

    Rounding leaves a row a little longer or shorter than 1. `_excess` is half of what its squared
    length is above 1: the inner product without that gives the distance from the rounded row,
    which is right to 0.001 also where it is nearly nothing.
    """

    def __init__(self, encodings: Encodings | Halves) -> None:
        self._codes = Codes(encodings)
        self.encodings: Halves = encodings.astype(np.float16, copy=False)
        self._excess = self._of_all(lambda rows: (squares(rows) - ONE) * HALF)

    def nearest(self, probes: Encodings) -> tuple[Similarities, Rows]:
        rows = self._codes.nearest(probes, RERANKED)
        near = self.encodings[rows].astype(np.float32)  # (n, k, 128)
        similarities = np.matmul(near, probes[:, :, None])[:, :, 0]
        return _best_first(similarities - self._excess[rows], rows)

    def similarities(self, probe: Encodings) -> Similarities:
        return self._of_all(lambda rows: rows @ probe) - self._excess

    def _of_all(self, number: Callable[[Encodings], Similarities]) -> Similarities:
        """One number of each row, which is given as float32 `(k, 128)`."""
        made = np.empty(len(self.encodings), np.float32)
        for start in range(0, len(made), CHUNK):
            chunk = slice(start, start + CHUNK)
            made[chunk] = number(self.encodings[chunk].astype(np.float32))
        return made


def _best_first(similarities: Similarities, rows: Rows) -> tuple[Similarities, Rows]:
    order = np.argsort(-similarities, axis=1)[:, :LISTED]
    return np.take_along_axis(similarities, order, axis=1), np.take_along_axis(rows, order, axis=1)


def searchable(encodings: Encodings | Halves, *, half: bool = False) -> Nearest:
    """The fastest way for so many, which keeps the array it is given.

    encodings: `(n, 128)`, rows of length 1. half: keep numbers of 16 bits where codes are scanned.
    """
    if len(encodings) <= EXACT:
        return ExactRows(encodings.astype(np.float32, copy=False))
    if half:
        return HalfRows(encodings)
    return ScannedRows(encodings.astype(np.float32, copy=False))
