"""The arithmetic of a network, counted."""

from __future__ import annotations

import sys

import keras
import pytest
from keras import layers

from benchmarks import encoder_speed
from benchmarks.encoder_gpu import flops


def test_every_product_of_convolutions_and_dense_layers_counts_twice() -> None:
    # Given a network inside a network
    picture = keras.Input((8, 8, 3))
    x = layers.Conv2D(5, 3, strides=2, padding="same")(picture)  # (n, 4, 4, 5)
    inner = keras.Model(picture, layers.DepthwiseConv2D(3)(x))  # (n, 2, 2, 5)
    whole = keras.Sequential([keras.Input((8, 8, 3)), inner, layers.Flatten(), layers.Dense(7)])

    # I expect each layer's products, by hand
    products = 4 * 4 * (3 * 3 * 3 * 5) + 2 * 2 * (3 * 3 * 5) + 20 * 7
    assert flops(whole) == 2 * products


def test_without_a_gpu_it_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], test_data: object
) -> None:
    chips = f"{test_data}/faces/celebs"
    monkeypatch.setattr(sys, "argv", ["", "--chips", chips, "--device", "gpu"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert encoder_speed.main() == 1
    assert "TensorFlow sees no GPU" in capsys.readouterr().err
