"""Encodings searched by row: all of them exactly, or their codes first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from facetrail.wire import Encodings
from index.codes import CHUNK, Codes, Halves, Rows, Similarities, squares
from index.codes import NUMBERS as NUMBERS

#: Up to so many rows every one is compared: that takes a millisecond a batch.
EXACT = 5_000
#: Neighbours looked at; enough that a person with many photos does not hide the runner-up.
NEIGHBOURS = 32
#: Candidates of the scan, which are compared exactly.
SCANNED = 128
#: Where all of these are too far, and one behind them would be near enough if its code were off by
#: so many deviations, so many are compared: never for whoever is known, and for few strangers.
REACH = 3.6
SCANNED_WIDELY = 2048
#: The best of them, which are told; enough that masked rows seldom fill them.
LISTED = 2 * NEIGHBOURS

#: No rows at all.
NOBODY: Encodings = np.empty((0, NUMBERS), np.float32)

#: Of each row, whether it no longer counts.
Gone = NDArray[np.bool_]

ONE, HALF = np.float32(1), np.float32(0.5)


class Nearest(Protocol):
    """Rows that never change."""

    @property
    def encodings(self) -> Encodings | Halves:
        """`(n, 128)`."""
        ...

    def nearest(
        self, probes: Encodings, gone: Gone, least: float | None
    ) -> tuple[Similarities, Rows]:
        """Inner products and places of the most similar rows, best first, `(n, k)` each.

        Those that are gone may be among them, last. least: an inner product; where none as large
        that counts is found at once, it is looked for more widely.
        """
        ...

    def similarities(self, probe: Encodings) -> Similarities:
        """The inner product of `(128,)` with every row."""
        ...


class ExactRows:
    """Every row is compared with every probe."""

    def __init__(self, encodings: Encodings) -> None:
        self.encodings = encodings

    def nearest(
        self, probes: Encodings, gone: Gone, least: float | None
    ) -> tuple[Similarities, Rows]:
        return self.first(probes, NEIGHBOURS)

    def first(self, probes: Encodings, count: int) -> tuple[Similarities, Rows]:
        """Of all rows the most similar, best first, `(n, count)`; no more than there are."""
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

    def nearest(
        self, probes: Encodings, gone: Gone, least: float | None
    ) -> tuple[Similarities, Rows]:
        return _reranked(self._codes, probes, gone, least, self._compared)

    def similarities(self, probe: Encodings) -> Similarities:
        return self.encodings @ probe

    def _compared(self, probes: Encodings, rows: Rows) -> Similarities:
        # Without a copy of the candidates, which takes longer than to compare them.
        rows, made = np.ascontiguousarray(rows), np.empty(rows.shape, np.float32)
        places = [faiss.swig_ptr(one) for one in (made, probes, self.encodings, rows)]
        faiss.fvec_inner_products_by_idx(  # type: ignore[attr-defined]  # its stubs have not all
            *places, NUMBERS, *rows.shape
        )
        return made


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

    def nearest(
        self, probes: Encodings, gone: Gone, least: float | None
    ) -> tuple[Similarities, Rows]:
        return _reranked(self._codes, probes, gone, least, self._compared)

    def similarities(self, probe: Encodings) -> Similarities:
        return self._of_all(lambda rows: rows @ probe) - self._excess

    def _compared(self, probes: Encodings, rows: Rows) -> Similarities:
        made = np.empty(rows.shape, np.float32)
        for own, probe, places in zip(made, probes, rows, strict=True):
            own[:] = in_32_bits(self.encodings[places]) @ probe - self._excess[places]
        return made

    def _of_all(self, number: Callable[[Encodings], Similarities]) -> Similarities:
        """One number of each row, which is given as float32 `(k, 128)`."""
        made = np.empty(len(self.encodings), np.float32)
        for start in range(0, len(made), CHUNK):
            chunk = slice(start, start + CHUNK)
            made[chunk] = number(in_32_bits(self.encodings[chunk]))
        return made


def in_32_bits(halves: Halves) -> Encodings:
    """The same finite numbers, in a third of the time that numpy takes to convert them."""
    bits = halves.view(np.int16).astype(np.int32)
    bits <<= 13  # to where float32 has them, and the sign twice more
    bits &= ~0x70000000
    made = bits.view(np.float32)
    made *= np.float32(2**112)  # exponents are counted from 15 in 16 bits, and from 127 in 32
    return made


def _reranked(
    codes: Codes,
    probes: Encodings,
    gone: Gone,
    least: float | None,
    compared: Callable[[Encodings, Rows], Similarities],
) -> tuple[Similarities, Rows]:
    """compared: inner products of `(n, 128)` with rows, `(n, k)`."""
    told, rows = codes.nearest(probes, SCANNED)
    similarities = np.where(gone[rows], -np.inf, compared(probes, rows))
    found = _best_first(similarities, rows)
    if least is None:
        return found
    far = least - REACH * codes.off
    doubtful = np.flatnonzero((similarities.max(axis=1) < least) & (told[:, -1] > far))
    if len(doubtful):
        told, rows = codes.nearest(probes[doubtful], SCANNED_WIDELY)
        rows = rows[:, : max(LISTED, int((told > far).sum(axis=1).max()))]
        wider = np.where(gone[rows], -np.inf, compared(probes[doubtful], rows))
        width = found[0].shape[1]
        more = _best_first(wider, rows)
        found[0][doubtful], found[1][doubtful] = more[0][:, :width], more[1][:, :width]
    return found


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
