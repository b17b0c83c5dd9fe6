"""nn4_small2: FaceNet's small Inception network, as OpenFace named it, in Keras.

96x96 RGB to 128 numbers. The widths are those of OpenFace's `nn4.small2` (Amos et al. 2016,
CMU-CS-16-118), itself NN4 of FaceNet (Schroff et al. 2015, arXiv:1503.03832, table 2) with
fewer blocks. The weights are our own, trained by `facetrail train`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from workers.encoders.base import Axis, Crop, Tensor, cropped, encoder_of

SIDE = 96
NUMBERS = 128
EPSILON = 1e-5  # of batch normalisation, Torch's default


@dataclass(frozen=True, slots=True)
class Block:
    """Widths of one Inception block's branches, of which some may be missing.

    three, five: of the 1x1 that reduces, and of the 3x3 or 5x5 after it. pool: its kind and
    stride. pooled: of the 1x1 after the pool. single: of the lone 1x1. stride: of 3x3 and 5x5.
    """

    name: str
    three: tuple[int, int]
    five: tuple[int, int] | None
    pool: tuple[str, int]
    pooled: int | None
    single: int | None
    stride: int = 1


BLOCKS = (
    Block("3a", (96, 128), (16, 32), ("max", 2), 32, 64),  # (n, 12, 12, 256)
    Block("3b", (96, 128), (32, 64), ("l2", 3), 64, 64),  # (n, 12, 12, 320)
    Block("3c", (128, 256), (32, 64), ("max", 2), None, None, stride=2),  # (n, 6, 6, 640)
    Block("4a", (96, 192), (32, 64), ("l2", 3), 128, 256),  # (n, 6, 6, 640)
    Block("4e", (160, 256), (64, 128), ("max", 2), None, None, stride=2),  # (n, 3, 3, 1024)
    Block("5a", (96, 384), None, ("l2", 3), 96, 256),  # (n, 3, 3, 736)
    Block("5b", (96, 384), None, ("max", 2), 96, 256),  # (n, 3, 3, 736)
)

# The middle columns and lower rows of the ArcFace chip, pixel for pixel: from the forehead to
# below the chin.
CROP_ROWS = Axis(SIDE, start=16, step=1)
CROP_COLUMNS = Axis(SIDE, start=8, step=1)


def nn4_small2(*, classic: bool = True) -> keras.Model:
    """The encoder, untrained: `(n, 112, 112, 3)` chips to `(n, 128)` of length 1."""
    crop = Crop(CROP_ROWS, CROP_COLUMNS, name="crop")
    return encoder_of(cropped(network(classic=classic), crop), name="nn4_small2")


def trained(weights: Path) -> keras.Model:
    """The encoder with the weights of a `.keras` file of the same network."""
    # Not loaded whole: it would compute in the precision it was saved with.
    model = nn4_small2()
    model.load_weights(weights)
    return model


def network(*, classic: bool = True) -> keras.Model:
    """The bare network: `(n, 96, 96, 3)` RGB, 0 to 255, to `(n, 128)`, of any length.

    Layers are called as OpenFace's files of weights call them.
    classic: with OpenFace's L2 pools and local response normalisation; without, plain average
    pools and none, as courses build it.
    """
    picture = keras.Input((SIDE, SIDE, 3), name="picture")
    x = layers.Rescaling(1 / 255, name="rescale")(picture)
    x = conv(x, 64, 7, stride=2, name="conv1", norm="bn1")  # (n, 48, 48, 64)
    x = max_pool_padded(x, name="pool1")  # (n, 24, 24, 64)
    x = LocalResponse(name="lrn1")(x) if classic else x
    x = conv(x, 64, 1, name="conv2", norm="bn2")
    x = conv(x, 192, 3, name="conv3", norm="bn3")  # (n, 24, 24, 192)
    x = LocalResponse(name="lrn2")(x) if classic else x
    x = max_pool_padded(x, name="pool2")  # (n, 12, 12, 192)
    for block in BLOCKS:
        x = inception(x, block, classic=classic)
    x = layers.AveragePooling2D(3, name="mean")(x)  # (n, 1, 1, 736)
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(NUMBERS, name="dense_layer")(x)
    return keras.Model(picture, x, name="nn4_small2_network")


def inception(x: Tensor, block: Block, *, classic: bool) -> Tensor:
    """Up to four branches side by side: 3x3, 5x5, pool, 1x1."""
    name = f"inception_{block.name}"
    branches = [reduced(x, block.three, 3, stride=block.stride, name=f"{name}_3x3")]
    side = branches[0].shape[1]
    if block.five is not None:
        branches.append(reduced(x, block.five, 5, stride=block.stride, name=f"{name}_5x5"))
    branches.append(pooled(x, block, side, classic=classic, name=f"{name}_pool"))
    if block.single is not None:
        branches.append(conv(x, block.single, 1, name=f"{name}_1x1_conv", norm=f"{name}_1x1_bn"))
    return layers.Concatenate(name=name)(branches)


def reduced(x: Tensor, widths: tuple[int, int], kernel: int, *, stride: int, name: str) -> Tensor:
    """A 1x1 that saves work before the larger kernel."""
    x = conv(x, widths[0], 1, name=f"{name}_conv1", norm=f"{name}_bn1")
    return conv(x, widths[1], kernel, stride=stride, name=f"{name}_conv2", norm=f"{name}_bn2")


def pooled(x: Tensor, block: Block, side: int, *, classic: bool, name: str) -> Tensor:
    """The pool and its 1x1, with zeros around up to the side of the other branches."""
    kind, stride = block.pool
    x = pool(x, kind if classic or kind == "max" else "average", stride, name=name)
    if block.pooled is not None:
        x = conv(x, block.pooled, 1, name=f"{name}_conv", norm=f"{name}_bn")
    missing = side - x.shape[1]
    around = (missing // 2, missing - missing // 2)
    return layers.ZeroPadding2D((around, around), name=f"{name}_pad")(x)


def conv(x: Tensor, filters: int, kernel: int, *, stride: int = 1, name: str, norm: str) -> Tensor:
    """Padded by half the kernel on every side, normalised over the batch, ReLU."""
    if kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    x = layers.Conv2D(filters, kernel, strides=stride, name=name)(x)
    x = layers.BatchNormalization(epsilon=EPSILON, momentum=0.9, name=norm)(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def max_pool_padded(x: Tensor, *, name: str) -> Tensor:
    x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    return layers.MaxPooling2D(3, 2, name=name)(x)


def pool(x: Tensor, kind: str, stride: int, *, name: str) -> Tensor:
    if kind == "max":
        return layers.MaxPooling2D(3, stride, name=name)(x)
    if kind == "average":
        return layers.AveragePooling2D(3, stride, name=name)(x)
    return L2Pooling(stride, name=name)(x)


@keras.saving.register_keras_serializable("facetrail")
class L2Pooling(layers.Layer):  # type: ignore[misc]
    """The root of the sum of squares over 3x3: square, average, times nine, root."""

    def __init__(self, stride: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.stride = stride

    def call(self, x: Tensor) -> Tensor:
        mean = ops.average_pool(ops.square(x), 3, self.stride)
        return ops.sqrt(9 * mean + 1e-12)  # the root has no slope at 0

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "stride": self.stride}


@keras.saving.register_keras_serializable("facetrail")
class LocalResponse(layers.Layer):  # type: ignore[misc]
    """Divides each number by a power of the squares of the channels around it.

    Krizhevsky et al. 2012 (AlexNet), section 3.3, as Torch computes it: over 5 channels,
    x / (1 + 1e-4 * mean of squares) ** 0.75.
    """

    def call(self, x: Tensor) -> Tensor:
        near = np.abs(np.subtract.outer(*2 * [np.arange(x.shape[-1])])) <= 2
        share = ops.convert_to_tensor(near * (1e-4 / 5), dtype=x.dtype)
        root = ops.rsqrt(1 + ops.matmul(ops.square(x), share))  # to the power of -1/2
        return x * root * ops.sqrt(root)
