"""Encodings searched by row: all of them exactly, or their codes first."""

from __future__ import annotations

from typing import Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from facetrail.wire import Encodings

NUMBERS = 128
#: Up to so many rows every one is compared: that takes a few milliseconds a batch.
EXACT = 20_000
#: Candidates of the scan that are compared exactly.
RERANKED = 256
#: Rows from which the codes are learned; more change nothing.
SAMPLE = 65_536
# Of 128 numbers each two share a code of 4 bits: 32 bytes a row.
CODES, BITS = 64, 4

#: No rows at all.
NOBODY: Encodings = np.empty((0, NUMBERS), np.float32)

Rows = NDArray[np.int64]
Similarities = NDArray[np.float32]


class Nearest(Protocol):
    """Rows that never change."""

    encodings: Encodings

    def nearest(self, probes: Encodings, count: int) -> tuple[Similarities, Rows]:
        """Inner products and places of the most similar rows, best first, `(n, count)` each.

        A place of -1 is none: there were fewer.
        """
        ...


class ExactRows:
    """Every row is compared with every probe."""

    def __init__(self, encodings: Encodings) -> None:
        self.encodings = encodings

    def nearest(self, probes: Encodings, count: int) -> tuple[Similarities, Rows]:
        count = min(count, len(self.encodings))
        if not count:
            return np.empty((len(probes), 0), np.float32), np.empty((len(probes), 0), np.int64)
        similarities, rows = faiss.knn(
            probes, self.encodings, count, metric=faiss.METRIC_INNER_PRODUCT
        )
        return similarities, rows


class ScannedRows:
    """The codes of all rows are scanned, and the best candidates compared exactly.

    Product quantisation with 4 bits, whose tables fit the registers (André et al. 2015, "Cache
    locality is not enough", VLDB 8(4)). Nothing is skipped, so that nothing needs tuning.
    """

    def __init__(self, encodings: Encodings) -> None:
        self.encodings = encodings
        self._codes = faiss.IndexPQFastScan(NUMBERS, CODES, BITS, faiss.METRIC_INNER_PRODUCT)
        step = max(1, len(encodings) // SAMPLE)
        self._codes.train(np.ascontiguousarray(encodings[::step][:SAMPLE]))
        for start in range(0, len(encodings), SAMPLE):
            self._codes.add(encodings[start : start + SAMPLE])

    def nearest(self, probes: Encodings, count: int) -> tuple[Similarities, Rows]:
        _, candidates = self._codes.search(probes, RERANKED)
        near = self.encodings[candidates]  # (n, RERANKED, 128)
        similarities = np.matmul(near, probes[:, :, None])[:, :, 0]
        similarities[candidates < 0] = -np.inf
        best = np.argsort(-similarities, axis=1)[:, :count]
        return (
            np.take_along_axis(similarities, best, axis=1),
            np.take_along_axis(candidates, best, axis=1),
        )


def searchable(encodings: Encodings) -> Nearest:
    """The faster way for so many. encodings: float32 `(n, 128)`, rows of length 1."""
    return ExactRows(encodings) if len(encodings) <= EXACT else ScannedRows(encodings)
