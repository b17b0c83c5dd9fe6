"""The naive baseline: a face is its pixels. What an encoder is worth is what it adds to this."""

from __future__ import annotations

import numpy as np

from facetrail.wire import CHIP_SHAPE, Chips, Encodings

#: Shares of red, green and blue in grey (ITU-R BT.601).
GREY = np.array([0.299, 0.587, 0.114], np.float32)


class Pixels:
    """Chips compared grey value by grey value: no `Encoder`, since it gives 12 544 numbers."""

    id = "pixels"
    length = CHIP_SHAPE[0] * CHIP_SHAPE[1]

    def encode(self, chips: Chips) -> Encodings:
        """Uint8 `(n, 112, 112, 3)` RGB to float32 `(n, 12544)`, rows of length 1.

        A black chip has no direction; its row is zeros.
        """
        grey = (chips.astype(np.float32) @ GREY).reshape(len(chips), self.length)
        lengths = np.linalg.norm(grey, axis=1, keepdims=True)
        return np.asarray(grey / np.maximum(lengths, 1e-6), np.float32)
