"""What every encoder is made of: the chip resampled, the network, unit length."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from facetrail.errors import BadModelFile
from workers.encoders.axis import MIRRORED_COLUMNS
from workers.encoders.axis import Axis as Axis

#: A tensor of whichever backend Keras runs on; Keras has no types.
Tensor = Any
#: What Keras raises of a file that it can't load.
LOADING_FAULTS = (
    *(ValueError, TypeError, KeyError, AttributeError, OSError, ImportError),
    *(zipfile.BadZipFile, zlib.error),
)


@keras.saving.register_keras_serializable("facetrail")
class Crop(layers.Layer):  # type: ignore[misc]
    """Resamples `(n, h, w, 3)` to `(n, rows.size, columns.size, 3)`, bilinearly.

    Two matrix products instead of an image operation: exact, the same on every backend. They
    are of one colour each, so that nothing has to be moved between them.
    """

    def __init__(self, rows: Axis, columns: Axis, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.rows = Axis(**rows) if isinstance(rows, dict) else rows
        self.columns = Axis(**columns) if isinstance(columns, dict) else columns

    def call(self, picture: Tensor) -> Tensor:
        down = ops.convert_to_tensor(self.rows.weights(picture.shape[1]))
        across = ops.convert_to_tensor(self.columns.weights(picture.shape[2]))
        x = ops.matmul(down, ops.transpose(picture, (0, 3, 1, 2)))  # (n, 3, rows, w)
        x = ops.matmul(x, ops.transpose(across))  # (n, 3, rows, columns)
        return ops.transpose(x, (0, 2, 3, 1))

    def get_config(self) -> dict[str, object]:
        axes = {name: _fields(getattr(self, name)) for name in ("rows", "columns")}
        return {**super().get_config(), **axes}


def _fields(axis: Axis) -> dict[str, float]:
    return {"size": axis.size, "start": axis.start, "step": axis.step}


def set_weights_in_order(model: keras.Model, arrays: Iterable[NDArray[np.float32]]) -> None:
    """Give every weight of a network without forks its array, from input to output.

    Each layer of such a network lies before the next in `model.layers`, so the order of
    execution is the order of the layers. Raises BadModelFile where a shape differs or the
    number of arrays does.
    """
    weights = [weight for layer in model.layers for weight in layer.weights]
    given = list(arrays)
    if len(given) != len(weights):
        raise BadModelFile(
            f"{model.name}: expected {len(weights)} arrays of weights, got {len(given)}"
        )
    for weight, array in zip(weights, given, strict=True):
        if tuple(weight.shape) != array.shape:
            raise BadModelFile(
                f"{model.name}: expected {weight.path} of shape {tuple(weight.shape)}, "
                f"got {array.shape}"
            )
        weight.assign(array)


def projected(features: keras.Model, projection: NDArray[np.float32]) -> keras.Model:
    """Chips to the features, `(n, m)`, through an orthonormal `(m, 128)`."""
    chips = keras.Input((112, 112, 3), name="chips")
    dense = layers.Dense(projection.shape[1], use_bias=False, dtype="float32", name="projection")
    x = dense(features(chips))
    dense.set_weights([projection])
    return keras.Model(chips, x, name=f"{features.name}_projected")


def cropped(network: keras.Model, crop: Crop) -> keras.Model:
    """Chips, `(n, 112, 112, 3)`, to what a network says of their crop."""
    chips = keras.Input((112, 112, 3), name="chips")
    return keras.Model(chips, network(crop(chips)), name=f"{network.name}_cropped")


def encoder_of(features: keras.Model, *, name: str) -> keras.Model:
    """The whole encoder: chips in, encodings of length 1 out.

    Input: uint8 or float `(n, 112, 112, 3)`, RGB, 0 to 255. Output: float32 `(n, 128)`.
    """
    chips = keras.Input((112, 112, 3), name="chips", dtype="float32")
    # In 32 bits also in mixed precision: an encoding of 8 bits would be a coarse one.
    x = layers.UnitNormalization(name="unit", dtype="float32")(features(chips))
    return keras.Model(chips, x, name=name)


def mirrored(encoder: keras.Model) -> keras.Model:
    """An encoder that averages in the mirrored chip: both encodings, summed, of length 1."""
    chips = keras.Input((112, 112, 3), name="chips", dtype="float32")
    images = ops.take(chips, MIRRORED_COLUMNS, axis=2)
    # One batch of both, so that the weights are read once.
    both = encoder(ops.concatenate([chips, images], axis=0))
    x = layers.Add(name="both")(ops.split(both, 2, axis=0))
    x = layers.UnitNormalization(name="unit", dtype="float32")(x)
    return keras.Model(chips, x, name=f"{encoder.name}_mirrored")
