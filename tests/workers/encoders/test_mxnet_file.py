"""MXNet's files of parameters: read, or refused in a sentence."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from facetrail.errors import BadModelFile
from tests.workers.encoders.mxnet_writer import MAGIC, array, listed, name
from workers.encoders.mxnet_file import read_arrays

NO_NAMES = struct.pack("<Q", 0)
ONE = struct.pack("<Q", 1)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    shapes = {"arg:a_weight": (2, 3, 1, 1), "aux:b_moving_mean": (4,), "arg:ü": (1, 1)}
    arrays = {name: random.normal(size=s).astype(np.float32) for name, s in shapes.items()}
    (tmp_path / "some.params").write_bytes(listed(arrays))

    found = read_arrays(tmp_path / "some.params")

    assert list(found) == list(arrays)
    for one, expected in arrays.items():
        assert found[one].dtype == np.float32
        assert np.array_equal(found[one], expected)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is cut short: expected 8 bytes at byte 0, got 0"),
        (b"<!DOCTYPE html>\n", "expected a list of arrays, magic number 0x112 at byte 0"),
        (struct.pack("<QQ", 0x113, 0), "magic number 0x112 at byte 0, got 0x113"),
        (struct.pack("<QQ", 0x112, 7), "expected the reserved number 0x0 at byte 8, got 0x7"),
        (MAGIC + struct.pack("<Q", 2**63), "9223372036854775808 arrays can't lie in 0 bytes"),
        (MAGIC + ONE + array(2, magic=0xF993FAC8), "0xf993fac9 at byte 24, got 0xf993fac8"),
        (MAGIC + ONE + array(2, storage=1), "a dense array, storage 0x0 at byte 28, got 0x1"),
        (MAGIC + ONE + array(2, dtype=1), "expected float32, dtype 0x0 at byte 52, got 0x1"),
        (MAGIC + ONE + array(9, data=b""), "expected 36 bytes at byte 56, got 0"),
        (MAGIC + ONE + array(2**40, 2**40, 2**40, data=b""), "it is cut short: expected 5316911"),
        (MAGIC + ONE + array(0, 3), r"expected sizes from 1 on, got the shape \[0, 3\]"),
        (MAGIC + ONE + array(-2, -3), r"expected sizes from 1 on, got the shape \[-2, -3\]"),
        (MAGIC + ONE + array() + bytes(8), "expected 1 to 8 dimensions, got 0"),
        (
            MAGIC + ONE + struct.pack("<IiI", 0xF993FAC9, 0, 2**32 - 1) + bytes(32),
            "expected 1 to 8 dimensions, got 4294967295",
        ),
        (MAGIC + ONE + array(2) + NO_NAMES, "expected as many names as arrays: 0x1"),
        (MAGIC + ONE + array(2) + ONE + name(b"\xff"), "the name that ends at byte .* not UTF-8"),
        (
            MAGIC + ONE + array(2) + ONE + struct.pack("<Q", 2**60),
            "1152921504606846976 bytes of a name can't lie in 0 bytes",
        ),
        (MAGIC + ONE + array(2) + ONE + name(b"a") + b"!", "expected its end, got 1 bytes more"),
        (
            MAGIC + struct.pack("<Q", 2) + array(2) * 2 + struct.pack("<Q", 2) + name(b"a") * 2,
            "two arrays have one name",
        ),
    ],
)
def test_anything_else_is_refused_with_what_differs(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "some.params"
    path.write_bytes(data)
    with pytest.raises(BadModelFile, match=why) as caught:
        read_arrays(path)
    assert str(caught.value).startswith(f"{path} is no MXNet file of float32 arrays: ")


def test_a_file_cut_at_any_byte_is_refused(tmp_path: Path) -> None:
    data = listed({"arg:a": np.ones((2, 3), np.float32), "aux:b": np.ones(4, np.float32)})
    path = tmp_path / "cut.params"
    for end in range(len(data)):
        path.write_bytes(data[:end])
        with pytest.raises(BadModelFile):
            read_arrays(path)
