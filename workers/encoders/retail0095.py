"""retail0095: Intel's face-reidentification-retail-0095 (Apache-2.0), in Keras.

128x128 to 256 numbers, projected to 128. A MobileNetV2 (Sandler et al. 2018,
arXiv:1801.04381) with squeeze-and-excitation (Hu et al. 2018, arXiv:1709.01507); the
convolutions and their order are those of the Open Model Zoo's file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from facetrail.errors import BadModelFile
from workers.encoders.base import (
    Axis,
    Crop,
    Tensor,
    cropped,
    encoder_of,
    projected,
    set_weights_in_order,
)

SIDE = 128
NUMBERS = 256
PROJECTION = Path(__file__).with_name("retail0095_projection.npy")

# widened to, narrowed to, blocks, stride of the first
STAGES = (
    (128, 64, 5, 2),
    (256, 128, 7, 2),
    (512, 128, 1, 2),
    (256, 128, 2, 1),
)

# Columns 8 to 104 of the ArcFace chip, all rows, with pixel centres aligned.
CROP_ROWS = Axis(SIDE, start=112 / SIDE / 2 - 0.5, step=112 / SIDE)
CROP_COLUMNS = Axis(SIDE, start=8 + 96 / SIDE / 2 - 0.5, step=96 / SIDE)


def retail0095(weights: Path) -> keras.Model:
    """The encoder: `(n, 112, 112, 3)` chips to `(n, 128)` of length 1."""
    return encoder_of(projected(features(weights), np.load(PROJECTION)), name="retail0095")


def features(weights: Path) -> keras.Model:
    """Chips to the network's own `(n, 256)`, of length 1."""
    picture = keras.Input((SIDE, SIDE, 3), name="picture")
    x = layers.UnitNormalization(name="unit_256")(network(weights)(picture))
    whole = keras.Model(picture, x, name="retail0095_unit")
    return cropped(whole, Crop(CROP_ROWS, CROP_COLUMNS, name="crop"))


def network(weights: Path | None = None) -> keras.Model:
    """The bare network: `(n, 128, 128, 3)` RGB, 0 to 255, to `(n, 256)`, any length.

    The zoo's takes BGR; instead of every picture the weights that meet it are turned around.
    Raises BadModelFile if `weights` is not the zoo's `.bin` in FP16.
    """
    picture = keras.Input((SIDE, SIDE, 3), name="picture")
    x = ScaleShift(name="scale_shift")(picture)
    x = conv(x, 64, 3, stride=2, name="stem")  # (n, 64, 64, 64)
    x = prelu(x, name="stem_prelu")
    x = depthwise(x, name="stem_depthwise")
    x = prelu(x, name="stem_depthwise_prelu")
    for i, (widened, narrowed, blocks, stride) in enumerate(STAGES, start=1):
        for j in range(blocks):
            first = stride if j == 0 else 1
            x = block(x, widened, narrowed, stride=first, name=f"stage{i}_{j}")
    x = conv(x, 512, 1, name="mix")  # (n, 8, 8, 512)
    x = prelu(x, name="mix_prelu")
    x = layers.DepthwiseConv2D(8, name="pool")(x)  # (n, 1, 1, 512)
    x = layers.Conv2D(NUMBERS, 1, use_bias=False, name="encoding")(x)
    model = keras.Model(picture, layers.Flatten(name="flat")(x), name="retail0095_network")
    if weights is not None:
        set_weights_in_order(model, read_weights(weights, model))
        turn_colours(model)
    return model


def turn_colours(model: keras.Model) -> None:
    """A network for BGR becomes one for RGB, and the other way around."""
    first, stem = model.get_layer("scale_shift"), model.get_layer("stem")
    for weight, colours in ((first.scale, 0), (first.shift, 0), (stem.kernel, 2)):
        weight.assign(ops.flip(weight, colours))


def block(x: Tensor, widened: int, narrowed: int, *, stride: int, name: str) -> Tensor:
    """Widen, look around, narrow, weigh the channels; add the input where shapes allow."""
    shortcut = x
    x = prelu(conv(x, widened, 1, name=f"{name}_widen"), name=f"{name}_widen_prelu")
    x = depthwise(x, stride=stride, name=f"{name}_look")
    x = prelu(x, name=f"{name}_look_prelu")
    x = conv(x, narrowed, 1, name=f"{name}_narrow")
    x = squeeze_and_excite(x, name=f"{name}_se")
    if stride == 1 and shortcut.shape[-1] == narrowed:
        x = layers.Add(name=f"{name}_add")([shortcut, x])
    return x


def squeeze_and_excite(x: Tensor, *, name: str) -> Tensor:
    channels = x.shape[-1]
    weight = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
    weight = prelu(conv(weight, channels // 8, 1, name=f"{name}_squeeze"), name=f"{name}_prelu")
    weight = conv(weight, channels, 1, name=f"{name}_excite")
    weight = layers.Activation("sigmoid", name=f"{name}_sigmoid")(weight)
    return layers.Multiply(name=f"{name}_weigh")([x, weight])


def conv(x: Tensor, filters: int, kernel: int, *, stride: int = 1, name: str) -> Tensor:
    if kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    return layers.Conv2D(filters, kernel, strides=stride, name=name)(x)


def depthwise(x: Tensor, *, stride: int = 1, name: str) -> Tensor:
    # Padded by one on every side: "same" would pad a strided one on two sides only.
    x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    return layers.DepthwiseConv2D(3, strides=stride, name=name)(x)


def prelu(x: Tensor, *, name: str) -> Tensor:
    """One slope for the whole layer."""
    return layers.PReLU(shared_axes=[1, 2, 3], name=name)(x)


@keras.saving.register_keras_serializable("facetrail")
class ScaleShift(layers.Layer):  # type: ignore[misc]
    """One factor and one summand per channel."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")
        self.shift = self.add_weight(shape=(shape[-1],), initializer="zeros", name="shift")

    def call(self, x: Tensor) -> Tensor:
        return x * self.scale + self.shift


def read_weights(path: Path, model: keras.Model) -> Iterator[NDArray[np.float32]]:
    """The file's constants, float16 in order of execution, in the shapes Keras wants."""
    data = path.read_bytes()
    weights = [(layer, weight) for layer in model.layers for weight in layer.weights]
    expected = sum(int(np.prod(weight.shape)) for _, weight in weights)
    if len(data) != 2 * expected:
        raise BadModelFile(
            f"{path} is not face-reidentification-retail-0095 in FP16: expected "
            f"{2 * expected} bytes, got {len(data)}"
        )
    constants = np.frombuffer(data, "<f2").astype(np.float32)
    at = 0
    for layer, weight in weights:
        shape = tuple(weight.shape)
        size = int(np.prod(shape))
        yield _as_keras(constants[at : at + size], shape, layer)
        at += size


def _as_keras(
    flat: NDArray[np.float32], shape: tuple[int, ...], layer: keras.layers.Layer
) -> NDArray[np.float32]:
    """The zoo keeps kernels as (out, in, rows, columns), depthwise as (channels, 1, ...)."""
    if len(shape) != 4:
        return flat.reshape(shape)
    rows, columns, inputs, outputs = shape
    if isinstance(layer, layers.DepthwiseConv2D):
        return flat.reshape(inputs, outputs, rows, columns).transpose(2, 3, 0, 1)
    return flat.reshape(outputs, inputs, rows, columns).transpose(2, 3, 1, 0)
