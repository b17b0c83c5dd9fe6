"""dlib's serialised network: read, or refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facetrail.errors import BadModelFile
from workers.encoders.dlib_file import read_weights
from workers.encoders.registry import entry_of


def integer(value: int) -> bytes:
    """As dlib writes one."""
    size = (abs(value).bit_length() + 7) // 8
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def text(value: str) -> bytes:
    return integer(len(value)) + value.encode()


def tensor(*shape: int, version: int = 2) -> bytes:
    head = b"".join(integer(number) for number in (version, *shape))
    return head + np.ones(max(0, int(np.prod(shape))), "<f4").tobytes()


CONVOLUTION = text("con_4") + tensor(3 * 3 * 3 * 8 + 8, 1, 1, 1)
AFFINE = text("affine_") + tensor(16, 1, 1, 1)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "expected another layer con_4 after byte 0"),
        (b"no network at all", "expected another layer con_4 after byte 0"),
        (text("con_4"), "it ends in a number, at byte 7"),
        (text("con_4") + integer(2) + integer(300)[:-1], "it ends in a number"),
        (text("con_4") + tensor(8, 1, 1, 1, version=3), "expected tensor version 2, got 3"),
        (text("con_4") + tensor(8, 1, 1, 1)[:-1], r"got shape \[8, 1, 1, 1\] with 31 bytes left"),
        (text("con_4") + tensor(8, 0, 1, 1), "expected a tensor, got shape"),
        (text("con_4") + tensor(-8, -1, 1, 1), "expected a tensor, got shape"),
        (
            text("con_4") + b"".join(map(integer, (2, 2**62, 2**62, 2**62, 2**62))),
            "expected a tensor, got shape",
        ),
        (CONVOLUTION, "expected another layer affine_ after byte"),
        (CONVOLUTION + text("affine_") + tensor(14, 1, 1, 1), "expected 7 square kernels over 3"),
        (CONVOLUTION + text("affine_") + tensor(17, 1, 1, 1), "expected 8 square kernels over 3"),
        (CONVOLUTION + AFFINE, "expected another layer con_4 after byte"),
    ],
)
def test_a_file_of_another_network_is_refused(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "network.dat"
    path.write_bytes(data)
    with pytest.raises(BadModelFile, match=why) as caught:
        list(read_weights(path))
    assert str(caught.value).startswith(f"{path} is not dlib's face recognition network: ")


def test_the_real_file_cut_anywhere_is_refused(cache_dir: Path, tmp_path: Path) -> None:
    data = entry_of("dlib_resnet").files[0].open(None, cache_dir).read_bytes()
    path = tmp_path / "cut.dat"
    for end in np.linspace(0, len(data) - 1000, 20).astype(int):
        path.write_bytes(data[:end])
        with pytest.raises(BadModelFile):
            list(read_weights(path))


def test_affine_layers_are_folded_into_the_convolutions(cache_dir: Path) -> None:
    arrays = list(read_weights(entry_of("dlib_resnet").files[0].open(None, cache_dir)))
    assert len(arrays) == 29 * 2 + 1
    assert [array.shape for array in arrays[:2]] == [(7, 7, 3, 32), (32,)]
    assert arrays[-1].shape == (256, 128)
    assert sum(array.size for array in arrays) == 5_607_488
