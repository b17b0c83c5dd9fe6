"""retail0095 answers as Intel's release does."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from facetrail.errors import BadModelFile
from facetrail.wire import Chips
from workers.encoders.registry import entry_of, open_encoder
from workers.encoders.retail0095 import PROJECTION, network, retail0095


@pytest.fixture(scope="module")
def weights(model_dir: Path, cache_dir: Path) -> Path:
    return entry_of("retail0095").files[0].open(model_dir, cache_dir)


@pytest.fixture(scope="module")
def model(weights: Path) -> keras.Model:
    return retail0095(weights)


def test_it_answers_as_recorded(weights: Path, model_dir: Path) -> None:
    # Given sixteen inputs (n, 3, 128, 128), BGR, and the 256 outputs recorded for each
    recorded = np.load(model_dir / "face-reidentification-retail-0095.ref16.npz")

    found = np.asarray(network(weights)(recorded["x"].transpose(0, 2, 3, 1)[..., ::-1]))

    assert found.shape == (16, 256)
    assert np.abs(found - recorded["y"]).max() < 1e-4


def test_it_has_all_the_weights_of_the_zoos_file(weights: Path) -> None:
    assert network(weights).count_params() == 1_106_814


def test_openvino_answers_as_keras_does(
    model: keras.Model, celebs: Chips, model_dir: Path, cache_dir: Path
) -> None:
    served = open_encoder("retail0095", model_dir=model_dir, cache_dir=cache_dir, device="cpu")
    expected = np.asarray(model(celebs.astype(np.float32)))
    assert np.abs(served.encode(celebs) - expected).max() < 1e-5


def test_its_projection_is_orthonormal() -> None:
    projection = np.load(PROJECTION)
    assert (projection.shape, projection.dtype) == ((256, 128), np.dtype("float32"))
    assert projection.T @ projection == pytest.approx(np.eye(128), abs=1e-5)


@pytest.mark.parametrize("change", [-2, -1, 1, 2])
def test_a_file_of_another_size_is_refused(weights: Path, tmp_path: Path, change: int) -> None:
    data = weights.read_bytes()
    other = tmp_path / "other.bin"
    other.write_bytes((data + b"\0\0")[: len(data) + change])
    with pytest.raises(BadModelFile) as caught:
        network(other)
    assert str(caught.value) == (
        f"{other} is not face-reidentification-retail-0095 in FP16: expected 2213628 bytes, "
        f"got {len(data) + change}"
    )


def test_a_saved_encoder_answers_alike(model: keras.Model, chips: Chips, tmp_path: Path) -> None:
    model.save(tmp_path / "encoder.keras")
    again = keras.saving.load_model(tmp_path / "encoder.keras")
    floats = chips.astype(np.float32)
    assert np.asarray(again(floats)) == pytest.approx(np.asarray(model(floats)), abs=1e-6)
