"""Reads the weights out of dlib's serialised network.

The format, as far as it is needed: an integer is one byte whose low four bits say how many
bytes follow and whose top bit says negative, then those bytes, least significant first; a
text is its length and its bytes; a tensor is the integer 2, four sizes (samples, channels,
rows, columns) and raw little-endian float32. The layers stand from input to output.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facetrail.errors import BadModelFile

CONVOLUTIONS = 29
TENSOR_VERSION = 2

Floats = NDArray[np.float32]


def read_weights(path: Path) -> Iterator[Floats]:
    """Kernels and biases from input to output, then the dense matrix; all float32.

    Kernels are (rows, columns, in, out) and the dense matrix (in, out), as Keras has them.
    Each affine layer is folded into the convolution before it. Raises BadModelFile for
    anything that is not this network's file.
    """
    file = _DlibFile(path)
    inputs = 3
    for _ in range(CONVOLUTIONS):
        filters_and_bias = file.tensor_after("con_4").ravel()
        scale_and_shift = file.tensor_after("affine_").ravel()
        filters = scale_and_shift.size // 2
        scale, shift = scale_and_shift[:filters], scale_and_shift[filters:]
        kernel, bias = filters_and_bias[:-filters], filters_and_bias[-filters:]
        side = round((kernel.size / (filters * inputs)) ** 0.5)
        if side * side * inputs * filters != kernel.size or shift.size != filters:
            raise file.refused(
                f"expected {filters} square kernels over {inputs} channels, "
                f"got {kernel.size} numbers"
            )
        kernel = kernel.reshape(filters, inputs, side, side) * scale[:, None, None, None]
        yield kernel.transpose(2, 3, 1, 0)
        yield bias * scale + shift
        inputs = filters
    dense = file.tensor_after("fc_2", integers_between=2)
    if dense.size != 256 * 128:
        raise file.refused(f"expected 256 x 128 numbers at last, got {dense.size}")
    yield dense.reshape(256, 128)


class _DlibFile:
    """A cursor over the bytes of one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path.read_bytes()
        self.at = 0

    def refused(self, why: str) -> BadModelFile:
        return BadModelFile(f"{self.path} is not dlib's face recognition network: {why}")

    def tensor_after(self, layer: str, *, integers_between: int = 0) -> Floats:
        """The tensor of the next layer of that name."""
        text = bytes((1, len(layer))) + layer.encode()
        found = self.data.find(text, self.at)
        if found < 0:
            raise self.refused(f"expected another layer {layer} after byte {self.at}")
        self.at = found + len(text)
        for _ in range(integers_between):
            self._integer()
        return self._tensor()

    def _tensor(self) -> Floats:
        version = self._integer()
        if version != TENSOR_VERSION:
            raise self.refused(f"expected tensor version 2, got {version}")
        shape = [self._integer() for _ in range(4)]
        end = self.at + 4 * math.prod(shape)
        if min(shape) < 1 or end > len(self.data):
            raise self.refused(
                f"expected a tensor, got shape {shape} with {len(self.data) - self.at} bytes left"
            )
        floats = np.frombuffer(self.data[self.at : end], "<f4").reshape(shape)
        self.at = end
        return floats.astype(np.float32)

    def _integer(self) -> int:
        head = self.data[self.at : self.at + 1]
        size = head[0] & 0x0F if head else 0
        digits = self.data[self.at + 1 : self.at + 1 + size]
        if not head or len(digits) < size:
            raise self.refused(f"it ends in a number, at byte {len(self.data)}")
        self.at += 1 + size
        value = int.from_bytes(digits, "little")
        return -value if head[0] & 0x80 else value
