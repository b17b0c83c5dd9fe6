"""mobilefacenet: a MobileFaceNet trained by InsightFace's recipe, in Keras.

112x112 RGB to 128 numbers (Chen et al. 2018, arXiv:1804.07573, table 1, with a dense layer at
the end). Layers bear the names that the file of weights has for their arrays. The weights
come without a licence and from pictures for research only (MS-Celeb-1M).
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from keras import layers

from facetrail.errors import BadModelFile
from workers.encoders.base import Tensor, encoder_of
from workers.encoders.mxnet_file import read_arrays

SIDE = 112
NUMBERS = 128
EPSILON = 1e-3  # of batch normalisation, but for the last
LAST_EPSILON = 2e-5

# name, widened to, narrowed to, stride; those with stride 1 add their input
BLOCKS = (
    ("dconv_23", 128, 64, 2),  # (n, 28, 28, 64)
    *((f"res_3_block{i}", 128, 64, 1) for i in range(4)),
    ("dconv_34", 256, 128, 2),  # (n, 14, 14, 128)
    *((f"res_4_block{i}", 256, 128, 1) for i in range(6)),
    ("dconv_45", 512, 128, 2),  # (n, 7, 7, 128)
    *((f"res_5_block{i}", 256, 128, 1) for i in range(2)),
)

# What MXNet calls a weight that Keras calls so; {} is the layer's name.
NAMES = {
    "kernel": "arg:{}_weight",
    "bias": "arg:{}_bias",
    "alpha": "arg:{}_gamma",
    "gamma": "arg:{}_gamma",
    "beta": "arg:{}_beta",
    "moving_mean": "aux:{}_moving_mean",
    "moving_variance": "aux:{}_moving_var",
}

ODD_NAMES = {"arg:pre_fc1_weight": "arg:fc1_weight"}

# Where MXNet has the axes of Keras' (rows, columns, in, out) and its like.
AXES = {
    layers.Conv2D: (3, 2, 0, 1),
    layers.DepthwiseConv2D: (2, 3, 0, 1),
    layers.Dense: (1, 0),
    layers.PReLU: (2,),
}


def mobilefacenet(weights: Path) -> keras.Model:
    """The encoder: `(n, 112, 112, 3)` chips to `(n, 128)` of length 1."""
    return encoder_of(network(weights), name="mobilefacenet")


def network(weights: Path | None = None) -> keras.Model:
    """The bare network: `(n, 112, 112, 3)` RGB, 0 to 255, to `(n, 128)`, any length.

    Raises BadModelFile if `weights` is not MXNet's file for this network.
    """
    picture = keras.Input((SIDE, SIDE, 3), name="picture")
    x = layers.Rescaling(1 / 128, -127.5 / 128, name="rescale")(picture)
    x = conv(x, 64, 3, stride=2, name="conv_1")  # (n, 56, 56, 64)
    x = depthwise(x, name="conv_2_dw")
    for name, widened, narrowed, stride in BLOCKS:
        x = block(x, widened, narrowed, stride=stride, name=name)
    x = conv(x, 512, 1, name="conv_6sep")  # (n, 7, 7, 512)
    x = layers.DepthwiseConv2D(7, use_bias=False, name="conv_6dw7_7_conv2d")(x)
    x = norm(x, name="conv_6dw7_7")  # (n, 1, 1, 512)
    x = layers.Dense(NUMBERS, name="pre_fc1")(layers.Flatten(name="flat")(x))
    x = layers.BatchNormalization(epsilon=LAST_EPSILON, name="fc1")(x)
    model = keras.Model(picture, x, name="mobilefacenet_network")
    if weights is not None:
        set_weights(model, weights)
    return model


def block(x: Tensor, widened: int, narrowed: int, *, stride: int, name: str) -> Tensor:
    """Widen, look around, narrow; add the input where nothing is halved."""
    shortcut = x
    x = conv(x, widened, 1, name=f"{name}_conv_sep")
    x = depthwise(x, stride=stride, name=f"{name}_conv_dw")
    x = conv(x, narrowed, 1, activated=False, name=f"{name}_conv_proj")
    return layers.Add(name=f"{name}_add")([shortcut, x]) if stride == 1 else x


def conv(
    x: Tensor, filters: int, kernel: int, *, stride: int = 1, activated: bool = True, name: str
) -> Tensor:
    if kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    x = layers.Conv2D(filters, kernel, strides=stride, use_bias=False, name=f"{name}_conv2d")(x)
    x = norm(x, name=name)
    return prelu(x, name=name) if activated else x


def depthwise(x: Tensor, *, stride: int = 1, name: str) -> Tensor:
    # Padded by one on every side: "same" would pad a strided one on two sides only.
    x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    x = layers.DepthwiseConv2D(3, strides=stride, use_bias=False, name=f"{name}_conv2d")(x)
    return prelu(norm(x, name=name), name=name)


def norm(x: Tensor, *, name: str) -> Tensor:
    return layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_batchnorm")(x)


def prelu(x: Tensor, *, name: str) -> Tensor:
    """One slope per channel."""
    return layers.PReLU(shared_axes=[1, 2], name=f"{name}_relu")(x)


def set_weights(model: keras.Model, path: Path) -> None:
    """Gives each weight the file's array of its name.

    Raises BadModelFile where an array is missing, left over or of another shape.
    """
    arrays = read_arrays(path)
    for layer in model.layers:
        for weight in layer.weights:
            name, axes = array_of(layer, weight)
            if name not in arrays:
                raise _refused(path, f"it has no array {name}")
            array = arrays.pop(name)
            expected = tuple(weight.shape[axis] for axis in axes)
            if array.shape != expected:
                raise _refused(path, f"expected {name} of shape {expected}, got {array.shape}")
            weight.assign(array.transpose(np.argsort(axes)).reshape(weight.shape))
    if arrays:
        raise _refused(path, f"it has {len(arrays)} arrays too many, as {min(arrays)}")
    # MXNet was told to take the last scales as 1, whatever the file has.
    scales = model.get_layer("fc1").gamma
    scales.assign(np.ones(scales.shape, np.float32))


def array_of(layer: keras.layers.Layer, weight: keras.Variable) -> tuple[str, tuple[int, ...]]:
    """The file's name of a weight, and the order in which the file has Keras' axes."""
    name = NAMES[weight.name].format(layer.name)
    axes = AXES[type(layer)] if weight.name in ("kernel", "alpha") else (0,)
    return ODD_NAMES.get(name, name), axes


def _refused(path: Path, why: str) -> BadModelFile:
    return BadModelFile(f"{path} is not the MobileFaceNet of 128 numbers: {why}")
