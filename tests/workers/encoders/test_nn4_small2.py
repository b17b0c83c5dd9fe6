"""nn4.small2 is OpenFace's network, layer for layer."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops

from facetrail.wire import Chips
from tests.workers.encoders.precision import precisions
from workers.encoders.nn4_small2 import L2Pooling, LocalResponse, network, nn4_small2
from workers.encoders.registry import entry_of, open_encoder
from workers.encoders.tensorflow_runtime import in_precision


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return nn4_small2()


def test_it_has_as_many_parameters_as_openfaces(model: keras.Model) -> None:
    assert model.count_params() == 3_743_280
    assert nn4_small2(classic=False).count_params() == 3_743_280


def test_its_blocks_have_openfaces_shapes() -> None:
    bare = network()
    shapes = {name: bare.get_layer(f"inception_{name}").output.shape[1:] for name in _SHAPES}
    assert shapes == _SHAPES
    assert bare.input.shape == (None, 96, 96, 3)


_SHAPES = {
    "3a": (12, 12, 256),
    "3b": (12, 12, 320),
    "3c": (6, 6, 640),
    "4a": (6, 6, 640),
    "4e": (3, 3, 1024),
    "5a": (3, 3, 736),
    "5b": (3, 3, 736),
}


def test_encodings_are_128_numbers_of_length_1(model: keras.Model, chips: Chips) -> None:
    encodings = np.asarray(model(chips.astype(np.float32)))
    assert encodings.shape == (len(chips), 128)
    assert np.linalg.norm(encodings, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_without_the_classic_layers_pools_average() -> None:
    kinds = {type(layer) for layer in network(classic=False).layers}
    assert not kinds & {L2Pooling, LocalResponse}
    assert {L2Pooling, LocalResponse} <= {type(layer) for layer in network().layers}


def test_l2_pooling_is_the_root_of_the_sum_of_squares() -> None:
    x = np.random.default_rng(1).normal(size=(2, 6, 6, 3)).astype(np.float32)
    expected = [
        [np.sqrt((x[:, i : i + 3, j : j + 3] ** 2).sum(axis=(1, 2))) for j in (0, 3)]
        for i in (0, 3)
    ]
    found = np.asarray(L2Pooling(3)(x))
    assert found == pytest.approx(np.transpose(expected, (2, 0, 1, 3)), rel=1e-5)


def test_l2_pooling_of_nothing_has_a_finite_slope() -> None:
    import tensorflow as tf

    x = tf.Variable(np.zeros((1, 3, 3, 2), np.float32))
    with tf.GradientTape() as tape:
        value = L2Pooling(3)(x)
    assert np.isfinite(np.asarray(tape.gradient(value, x))).all()


def test_local_response_is_torchs_formula() -> None:
    x = (100 * np.random.default_rng(2).normal(size=(1, 2, 2, 7))).astype(np.float32)
    expected = np.empty_like(x)
    for c in range(7):
        near = x[..., max(0, c - 2) : c + 3]
        expected[..., c] = x[..., c] / (1 + 1e-4 / 5 * (near**2).sum(axis=-1)) ** 0.75
    assert np.abs(x - expected).max() > 1
    assert np.asarray(LocalResponse()(x)) == pytest.approx(expected, rel=1e-4)


def test_a_chips_crop_is_a_part_of_it(model: keras.Model, chips: Chips) -> None:
    crop = model.get_layer("nn4_small2_network_cropped").get_layer("crop")
    found = np.asarray(crop(chips.astype(np.float32)))
    assert np.array_equal(found, chips[:, 16:112, 8:104])


def test_a_kept_network_answers_alike(model: keras.Model, chips: Chips, tmp_path: Path) -> None:
    model.save(tmp_path / "encoder.keras")
    again = keras.saving.load_model(tmp_path / "encoder.keras")
    floats = chips.astype(np.float32)
    assert np.asarray(again(floats)) == pytest.approx(np.asarray(model(floats)), abs=1e-6)


def test_every_convolution_is_normalised() -> None:
    kinds = [type(layer) for layer in network().layers if layer.weights]
    assert kinds.count(layers.Conv2D) == kinds.count(layers.BatchNormalization) == 37


def test_our_own_weights_compute_in_the_precision_that_is_wanted(
    chips: Chips, cache_dir: Path
) -> None:
    coarse = in_precision(entry_of("nn4_small2").builder(None, cache_dir), "bf16")
    assert precisions(coarse) == {"bfloat16"}
    assert all(weight.dtype == "float32" for weight in coarse.weights)

    # I expect it to be the one that serves, nearly
    served = open_encoder("nn4_small2", model_dir=None, cache_dir=cache_dir, device="cpu")
    found = np.asarray(ops.cast(coarse(chips[:4].astype(np.float32)), "float32"))
    assert np.linalg.norm(found - served.encode(chips[:4]), axis=1).max() < 0.1
