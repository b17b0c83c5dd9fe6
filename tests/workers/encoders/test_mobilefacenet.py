"""mobilefacenet answers as its file says, worked out by hand."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from facetrail.errors import BadModelFile
from facetrail.wire import Chips
from tests.workers.encoders.mxnet_writer import listed
from training.faces import encoded, read_photo
from workers.encoders.mobilefacenet import mobilefacenet, network
from workers.encoders.mxnet_file import read_arrays
from workers.encoders.registry import open_encoder

Floats = NDArray[np.float32]

STRIDED = ("conv_1", "dconv_23_conv_dw", "dconv_34_conv_dw", "dconv_45_conv_dw")
BLOCKS = (
    *("dconv_23", "res_3_block0", "res_3_block1", "res_3_block2", "res_3_block3"),
    *("dconv_34", *(f"res_4_block{i}" for i in range(6))),
    *("dconv_45", "res_5_block0", "res_5_block1"),
)


@pytest.fixture(scope="module")
def weights(model_dir: Path) -> Path:
    return model_dir / "mobilefacenet_y1.params"


@pytest.fixture(scope="module")
def arrays(weights: Path) -> dict[str, Floats]:
    return read_arrays(weights)


@pytest.fixture(scope="module")
def model(weights: Path) -> keras.Model:
    return mobilefacenet(weights)


class ByHand:
    """The network in NumPy, one chip `(3, rows, columns)`, straight from the file's arrays."""

    def __init__(self, arrays: dict[str, Floats]) -> None:
        self.arrays = arrays

    def encoding(self, chip: Floats) -> Floats:
        x = self.layer((chip - 127.5) / 128, "conv_1", pad=1)
        x = self.layer(x, "conv_2_dw", pad=1)
        for name in BLOCKS:
            y = self.layer(x, f"{name}_conv_sep")
            y = self.layer(y, f"{name}_conv_dw", pad=1)
            y = self.layer(y, f"{name}_conv_proj", activated=False)
            x = x + y if name.startswith("res_") else y
        x = self.layer(self.layer(x, "conv_6sep"), "conv_6dw7_7", activated=False)
        x = self.arrays["arg:fc1_weight"] @ x.ravel() + self.arrays["arg:pre_fc1_bias"]
        mean, variance = (self.arrays[f"aux:fc1_moving_{part}"] for part in ("mean", "var"))
        x = (x - mean) / np.sqrt(variance + 2e-5) + self.arrays["arg:fc1_beta"]
        return np.asarray(x / np.linalg.norm(x), np.float32)

    def layer(self, x: Floats, name: str, *, pad: int = 0, activated: bool = True) -> Floats:
        """Convolution, batch normalisation, PReLU."""
        kernel = self.arrays[f"arg:{name}_conv2d_weight"]
        around = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
        seen = sliding_window_view(around, kernel.shape[2:], axis=(1, 2))  # type: ignore[call-overload]
        if name in STRIDED:
            seen = seen[:, ::2, ::2]
        if kernel.shape[1] == 1:
            x = np.einsum("cyxhw,chw->cyx", seen, kernel[:, 0], optimize=True)
        else:
            x = np.einsum("cyxhw,ochw->oyx", seen, kernel, optimize=True)
        norm = f"{name}_batchnorm"
        scale = self._column(f"arg:{norm}_gamma") / np.sqrt(
            self._column(f"aux:{norm}_moving_var") + 1e-3
        )
        x = (x - self._column(f"aux:{norm}_moving_mean")) * scale
        x = x + self._column(f"arg:{norm}_beta")
        return np.where(x < 0, x * self._column(f"arg:{name}_relu_gamma"), x) if activated else x

    def _column(self, name: str) -> Floats:
        return self.arrays[name][:, None, None]


def test_it_answers_as_worked_out_by_hand(
    model: keras.Model, arrays: dict[str, Floats], celebs: Chips
) -> None:
    by_hand = ByHand(arrays)
    expected = [by_hand.encoding(chip.transpose(2, 0, 1)) for chip in celebs[:2]]
    found = np.asarray(model(celebs[:2].astype(np.float32)))
    assert found.shape == (2, 128)
    assert np.abs(found - np.stack(expected)).max() < 1e-5


def test_it_knows_people_by_other_pictures(
    test_data: Path, model_dir: Path, cache_dir: Path
) -> None:
    # Given eight pictures of each of the twelve people of the test data
    folders = sorted((test_data / "faces" / "celebs").iterdir())
    pictures = [read_photo(path) for folder in folders for path in sorted(folder.iterdir())[:8]]
    served = open_encoder("mobilefacenet", model_dir=model_dir, cache_dir=cache_dir, device="cpu")

    # If each is looked for among all others
    encodings = encoded(np.stack(pictures), served)
    likeness = encodings @ encodings.T - 2 * np.eye(len(encodings))
    person = np.arange(len(encodings)) // 8
    found = person[likeness.argmax(axis=1)]

    # I expect nearly all beside their own; a few labels are wrong
    assert np.mean(found == person) > 0.9


def test_it_has_every_number_of_the_file(weights: Path, arrays: dict[str, Floats]) -> None:
    # Batch normalisation is kept as it is in the file: mean, variance, scale and shift.
    assert len(arrays) == 284
    assert network(weights).count_params() == sum(one.size for one in arrays.values()) == 1_022_848


def test_the_last_scales_are_1_whatever_the_file_has(
    model: keras.Model, arrays: dict[str, Floats], celebs: Chips, tmp_path: Path
) -> None:
    odd = np.linspace(0.5, 2, 128, dtype=np.float32)
    path = tmp_path / "odd.params"
    path.write_bytes(listed({**arrays, "arg:fc1_gamma": odd}))
    chips = celebs[:2].astype(np.float32)
    assert np.array_equal(np.asarray(mobilefacenet(path)(chips)), np.asarray(model(chips)))


@pytest.mark.parametrize(
    ("name", "shape", "why"),
    [
        ("arg:fc1_weight", None, "it has no array arg:fc1_weight"),
        ("aux:fc1_moving_var", None, "it has no array aux:fc1_moving_var"),
        (
            "arg:conv_1_conv2d_weight",
            (64, 1, 3, 3),
            r"expected arg:conv_1_conv2d_weight of shape \(64, 3, 3, 3\), got \(64, 1, 3, 3\)",
        ),
        (
            "arg:res_4_block5_conv_dw_conv2d_weight",
            (128, 1, 3, 3),
            r"of shape \(256, 1, 3, 3\), got \(128, 1, 3, 3\)",
        ),
        ("arg:fc1_weight", (512, 512), r"expected .* of shape \(128, 512\), got \(512, 512\)"),
        ("arg:conv_1_relu_gamma", (1,), r"expected .* of shape \(64,\), got \(1,\)"),
        ("arg:res_6_weight", (3,), "it has 1 arrays too many, as arg:res_6_weight"),
    ],
)
def test_weights_of_another_network_are_refused_with_what_differs(
    arrays: dict[str, Floats],
    name: str,
    shape: tuple[int, ...] | None,
    why: str,
    tmp_path: Path,
) -> None:
    # Given the real arrays, of which one is gone, another or too many
    changed = {key: one for key, one in arrays.items() if key != name}
    if shape is not None:
        changed[name] = np.zeros(shape, np.float32)
    path = tmp_path / "other.params"
    path.write_bytes(listed(changed))

    with pytest.raises(BadModelFile, match=why) as caught:
        network(path)
    assert str(caught.value).startswith(f"{path} is not the MobileFaceNet of 128 numbers: ")
