"""Reads the arrays out of a file of parameters that MXNet wrote.

MXNet's list of NDArrays, little-endian: u64 0x112, u64 0, u64 count; for each array u32
0xF993FAC9, i32 storage (0: dense), u32 dimensions, i64 each, i32 device type and id, i32
dtype (0: float32), the data; then u64 count, and for each name u64 length and its bytes.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facetrail.errors import BadModelFile

LIST_MAGIC = 0x112
ARRAY_MAGIC = 0xF993FAC9
DENSE = 0
FLOAT32 = 0
MOST_DIMENSIONS = 8

Floats = NDArray[np.float32]


def read_arrays(path: Path) -> dict[str, Floats]:
    """The float32 arrays by name, as `arg:conv_1_conv2d_weight`, in MXNet's shapes.

    Raises BadModelFile for anything else, saying what differs and at which byte.
    """
    file = _MxnetFile(path)
    file.expect("Q", LIST_MAGIC, "a list of arrays, magic number")
    file.expect("Q", 0, "the reserved number")
    # The least an array may take: its head and one dimension.
    arrays = [file.array() for _ in range(file.count("arrays", each=32))]
    file.expect("Q", len(arrays), "as many names as arrays:")
    names = [file.name() for _ in arrays]
    if file.left:
        raise file.refused(f"expected its end, got {file.left} bytes more")
    found = dict(zip(names, arrays, strict=True))
    if len(found) < len(names):
        raise file.refused("two arrays have one name")
    return found


class _MxnetFile:
    """A cursor over the bytes of one file; nothing is read or made beyond its end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path.read_bytes()
        self.at = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def refused(self, why: str) -> BadModelFile:
        return BadModelFile(f"{self.path} is no MXNet file of float32 arrays: {why}")

    def expect(self, kind: str, wanted: int, what: str) -> None:
        at, found = self.at, self.number(kind)
        if found != wanted:
            raise self.refused(f"expected {what} {wanted:#x} at byte {at}, got {found:#x}")

    def number(self, kind: str) -> int:
        """The next integer of that `struct` format."""
        return int(struct.unpack("<" + kind, self._taken(struct.calcsize("<" + kind)))[0])

    def count(self, what: str, *, each: int) -> int:
        """How many follow. each: the least bytes that one of them takes."""
        found = self.number("Q")
        if found * each > self.left:
            raise self.refused(f"it is cut short: {found} {what} can't lie in {self.left} bytes")
        return found

    def array(self) -> Floats:
        self.expect("I", ARRAY_MAGIC, "an array, magic number")
        self.expect("i", DENSE, "a dense array, storage")
        shape = self._shape()
        self._taken(8)  # the device it lay on
        self.expect("i", FLOAT32, "float32, dtype")
        floats = np.frombuffer(self._taken(4 * math.prod(shape)), "<f4")
        return floats.reshape(shape).astype(np.float32)

    def _shape(self) -> list[int]:
        dimensions = self.number("I")
        if not 1 <= dimensions <= MOST_DIMENSIONS:
            raise self.refused(f"expected 1 to {MOST_DIMENSIONS} dimensions, got {dimensions}")
        shape = [self.number("q") for _ in range(dimensions)]
        if min(shape) < 1:
            raise self.refused(f"expected sizes from 1 on, got the shape {shape}")
        return shape

    def name(self) -> str:
        data = self._taken(self.count("bytes of a name", each=1))
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise self.refused(f"the name that ends at byte {self.at} is not UTF-8") from None

    def _taken(self, size: int) -> bytes:
        if size > self.left:
            raise self.refused(
                f"it is cut short: expected {size} bytes at byte {self.at}, got {self.left}"
            )
        self.at += size
        return self.data[self.at - size : self.at]
