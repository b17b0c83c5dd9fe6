"""Writes small ONNX files: the few messages of its protobuf that one network needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Shape = Sequence[int | str]

FLOAT = 1  # TensorProto.DataType
DOUBLE = 11


def averages_times(
    matrix: Floats, *, shape: Shape, kernel: int = 14, kind: int = FLOAT, outputs: int = 1
) -> bytes:
    """Averages over squares, flattened, times the matrix. A text in `shape` is a free size."""
    squares = _integers("kernel_shape", kernel, kernel) + _integers("strides", kernel, kernel)
    nodes = (
        _node("AveragePool", ["input"], "averages", squares)
        + _node("Flatten", ["averages"], "flat")
        + _node("MatMul", ["flat", "matrix"], "output0")
        + b"".join(_node("Neg", ["output0"], f"output{i}") for i in range(1, outputs))
    )
    tensor = b"".join(_varint(1, size) for size in matrix.shape) + _varint(2, FLOAT)
    tensor += _field(8, b"matrix") + _field(9, matrix.astype("<f4").tobytes())
    ends = b"".join(_field(12, _value(f"output{i}", kind, ["m", "k"])) for i in range(outputs))
    graph = nodes + _field(2, b"graph") + _field(5, tensor)
    graph += _field(11, _value("input", kind, shape)) + ends
    return _varint(1, 8) + _field(7, graph) + _field(8, _varint(2, 17))


def _node(kind: str, inputs: list[str], output: str, attributes: bytes = b"") -> bytes:
    named = b"".join(_field(1, name.encode()) for name in inputs)
    return _field(1, named + _field(2, output.encode()) + _field(4, kind.encode()) + attributes)


def _integers(name: str, *values: int) -> bytes:
    numbers = b"".join(_varint(8, value) for value in values)
    return _field(5, _field(1, name.encode()) + numbers + _varint(20, 7))


def _value(name: str, kind: int, shape: Shape) -> bytes:
    sizes = b"".join(
        _field(1, _varint(1, size) if isinstance(size, int) else _field(2, size.encode()))
        for size in shape
    )
    tensor = _varint(1, kind) + _field(2, sizes)
    return _field(1, name.encode()) + _field(2, _field(1, tensor))


def _field(number: int, data: bytes) -> bytes:
    return _number(number << 3 | 2) + _number(len(data)) + data


def _varint(number: int, value: int) -> bytes:
    return _number(number << 3) + _number(value)


def _number(value: int) -> bytes:
    low = value & 0x7F
    return bytes([low]) if value < 128 else bytes([low | 0x80]) + _number(value >> 7)
