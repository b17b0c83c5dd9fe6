"""Reads the weights out of dlib's serialised network.

The format, as far as it is needed: an integer is one byte whose low four bits say how many
bytes follow and whose top bit says negative, then those bytes, least significant first; a
text is its length and its bytes; a tensor is the integer 2, four sizes (samples, channels,
rows, columns) and raw little-endian float32. The layers stand from input to output.
"""

from __future__ import annotations

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
        scale, shift = file.tensor_after("affine_").reshape(2, -1)
        filters = len(scale)
        kernel, bias = filters_and_bias[:-filters], filters_and_bias[-filters:]
        side = round((kernel.size / (filters * inputs)) ** 0.5)
        if side * side * inputs * filters != kernel.size:
            raise file.refused(f"expected square kernels, got {kernel.size} numbers")
        kernel = kernel.reshape(filters, inputs, side, side) * scale[:, None, None, None]
        yield kernel.transpose(2, 3, 1, 0)
        yield bias * scale + shift
        inputs = filters
    yield file.tensor_after("fc_2", integers_between=2).reshape(256, 128)


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
        end = self.at + 4 * int(np.prod(shape))
        if end > len(self.data):
            raise self.refused(f"expected {end} bytes at least, got {len(self.data)}")
        floats = np.frombuffer(self.data[self.at : end], "<f4").reshape(shape)
        self.at = end
        return floats.astype(np.float32)

    def _integer(self) -> int:
        head = self.data[self.at]
        size = head & 0x0F
        value = int.from_bytes(self.data[self.at + 1 : self.at + 1 + size], "little")
        self.at += 1 + size
        return -value if head & 0x80 else value
