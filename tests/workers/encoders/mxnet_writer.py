"""Writes files of parameters as MXNet does."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

MAGIC = struct.pack("<QQ", 0x112, 0)


def array(
    *shape: int,
    magic: int = 0xF993FAC9,
    storage: int = 0,
    dtype: int = 0,
    data: bytes | None = None,
) -> bytes:
    """As MXNet writes one, of ones unless the data are given."""
    head = struct.pack(f"<IiI{len(shape)}qiii", magic, storage, len(shape), *shape, 1, 0, dtype)
    return head + (np.ones(max(0, int(np.prod(shape))), "<f4").tobytes() if data is None else data)


def name(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def listed(arrays: dict[str, Floats]) -> bytes:
    """The whole file."""
    count = struct.pack("<Q", len(arrays))
    written = [array(*one.shape, data=one.astype("<f4").tobytes()) for one in arrays.values()]
    return MAGIC + count + b"".join(written) + count + b"".join(name(n.encode()) for n in arrays)
