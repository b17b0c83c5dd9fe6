"""Encodings as codes of a few bytes: whoever may be near is found by those alone."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from facetrail.wire import Encodings

NUMBERS = 128
#: Rows from which the codes are learned; more change nothing.
SAMPLE = 16_384
#: Rows that are coded at once.
CHUNK = 65_536
# So many codes of 4 bits an encoding, each of so many of its numbers.
CODES, WIDTH, BITS = 36, 4, 4
# FAISS's way 13, with the probes in fours and 16 of them to a pass over the codes: the fastest of
# its ways where two threads share 32 probes, and no slower than its own choice for fewer.
WAY, PROBES = 13, 0x4444
#: The least that the length of a code is taken to tell of the length of its row.
TOLD = 0.1
#: Rows of the sample that stand for probes, to learn how far codes are off.
ASKED = 64

Halves = NDArray[np.float16]
Rows = NDArray[np.int64]
Similarities = NDArray[np.float32]


class Codes:
    """Product quantisation with 4 bits, whose tables fit the registers (André et al. 2015, "Cache
    locality is not enough", VLDB 8(4)). Nothing is skipped, so that nothing needs tuning.

    encodings: float32 or float16 `(n, 128)`. They are moved to their middle and turned first, so
    that each code carries as much as another: encoders spread people unevenly.

    A row's nearness to a probe, both moved, is their product less half of the row's squared
    length. The code errs in both. Where encodings lie around 0 the lengths are all alike, and
    the code's only add noise; where they are all near to each other, lengths decide. So they count
    by how much the code's tells of the row's, which is done by making the probe longer.

    off: the standard deviation of an inner product told by a code, from the true one.
    """

    def __init__(self, encodings: Encodings | Halves) -> None:
        sample = encodings[:: max(1, len(encodings) // SAMPLE)][:SAMPLE].astype(np.float32)
        self._missing = np.float32(0)
        self._middle, self._turn = sample.mean(axis=0), balanced(sample)
        turned = self._turned(sample)
        self._codes = faiss.IndexPQFastScan(CODES * WIDTH, CODES, BITS, faiss.METRIC_L2)
        self._codes.implem, self._codes.qbs = WAY, PROBES
        self._codes.train(turned)
        quantizer: Any = self._codes.pq  # its stubs say that it answers nothing
        coded = quantizer.decode(quantizer.compute_codes(turned))
        self._longer = np.float32(1 / told(squares(coded), squares(turned)))
        asked, near = sample[:ASKED], turned[:ASKED] * self._longer
        distances = squares(coded)[None] + squares(near)[:, None] - 2 * near @ coded.T
        wrong = asked @ sample.T - self._similarities(asked, near, distances)
        self._missing, self.off = np.float32(wrong.mean()), float(wrong.std())
        for start in range(0, len(encodings), CHUNK):
            self._codes.add(self._turned(encodings[start : start + CHUNK]))

    def nearest(self, probes: Encodings, count: int) -> tuple[Similarities, Rows]:
        """Inner products as codes tell them, and places, of those that are nearest by their codes,
        best first, `(n, count)` each; no more than there are.
        """
        longer = self._turned(probes) * self._longer
        distances, rows = self._codes.search(longer, min(count, self._codes.ntotal))
        return self._similarities(probes, longer, distances), rows

    def _similarities(
        self, probes: Encodings, longer: Encodings, distances: Encodings
    ) -> Similarities:
        """distances: from the longer probes to codes, squared, `(n, k)`."""
        known = squares(longer) / (2 * self._longer) + probes @ self._middle + self._missing
        return np.asarray(known[:, None] - distances / (2 * self._longer), np.float32)

    def _turned(self, encodings: Encodings | Halves) -> Encodings:
        return np.asarray((encodings - self._middle) @ self._turn, np.float32)


def balanced(sample: Encodings) -> Encodings:
    """To the main axes, those of each code side by side: float32 `(128, CODES * WIDTH)`.

    The widest axis left always goes to the code that has the least: the error of a code goes with
    the volume its numbers fill, and all errors together are least when they are alike.
    """
    variances, axes = np.linalg.eigh(np.cov(sample.T))
    widths = np.log(np.maximum(variances, 1e-6 * variances.max() + 1e-30))
    widths -= widths.min()
    own: list[list[int]] = [[] for _ in range(CODES)]
    for axis in np.argsort(-widths):
        room = [code for code in own if len(code) < WIDTH]
        min(room, key=lambda code: float(widths[code].sum())).append(int(axis))
    made = np.zeros((NUMBERS, CODES, WIDTH), np.float32)
    for code, its in enumerate(own):
        made[:, code, : len(its)] = axes[:, its]
    return made.reshape(NUMBERS, CODES * WIDTH)


def squares(rows: Encodings) -> Encodings:
    """Squared lengths."""
    return np.asarray(np.einsum("ij,ij->i", rows, rows), np.float32)


def told(coded: Encodings, true: Encodings) -> float:
    """By how much the second grows where the first grows by 1, within `TOLD` and 1."""
    spread = float(np.var(coded))
    slope = float(np.mean((coded - coded.mean()) * (true - true.mean()))) / max(spread, 1e-12)
    return min(1.0, max(TOLD, slope))
