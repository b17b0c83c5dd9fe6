"""Reads the published weights of OpenFace's nn4.small2, for who has them.

Two forms are about: a folder of CSV files, one for each array, `conv1_w.csv`, `bn1_m.csv` and
so on, kernels flattened as (out, in, rows, columns); and Keras' own `.h5`, with a group for
each layer. Their layers are called as those of `workers.encoders.nn4_small2`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from facetrail.errors import BadModelFile
from workers.encoders.base import Axis, Crop, cropped, encoder_of
from workers.encoders.nn4_small2 import SIDE, network

# OpenFace's own crop of 96x96, out of the ArcFace chip: the shift and scale that fit its mean
# face (align_dlib.py) to the ArcFace template best.
CROP_ROWS = Axis(SIDE, start=38.41, step=0.8617)
CROP_COLUMNS = Axis(SIDE, start=15.02, step=0.8617)

#: What CSV files call the arrays of a layer, in Keras' order.
OF_CONVOLUTIONS = ("w", "b")
OF_NORMS = ("w", "b", "m", "v")

Floats = NDArray[np.float32]


def openface(source: Path) -> keras.Model:
    """The encoder, `(n, 112, 112, 3)` chips to `(n, 128)`, with the weights of a file or folder.

    Raises BadModelFile.
    """
    bare = network()
    read = _from_folder(source) if source.is_dir() else _from_h5(source)
    for layer in bare.layers:
        if layer.weights:
            layer.set_weights(list(_checked(source, layer, read(layer))))
    crop = Crop(CROP_ROWS, CROP_COLUMNS, name="crop")
    return encoder_of(cropped(bare, crop), name="openface_nn4_small2")


def _checked(source: Path, layer: keras.layers.Layer, arrays: list[Floats]) -> Iterator[Floats]:
    """In the shapes of the layer."""
    expected = [tuple(weight.shape) for weight in layer.weights]
    found = [array.shape for array in arrays]
    if found != expected:
        raise BadModelFile(
            f"{source} is not nn4.small2: expected {layer.name} of shapes {expected}, got {found}"
        )
    yield from arrays


def _from_folder(folder: Path) -> Callable[[keras.layers.Layer], list[Floats]]:
    def read(layer: keras.layers.Layer) -> list[Floats]:
        name = "dense" if layer.name == "dense_layer" else layer.name
        parts = OF_NORMS if isinstance(layer, layers.BatchNormalization) else OF_CONVOLUTIONS
        flat = [_csv(folder / f"{name}_{part}.csv") for part in parts]
        return [
            _as_keras(array, tuple(weight.shape))
            for array, weight in zip(flat, layer.weights, strict=True)
        ]

    return read


def _csv(path: Path) -> Floats:
    try:
        return np.loadtxt(path, np.float32, delimiter=",", ndmin=1).ravel()
    except OSError as error:
        raise BadModelFile(
            f"{path} can't be read: get the whole folder of OpenFace's CSV"
        ) from error
    except ValueError as error:
        raise BadModelFile(f"{path} is no CSV of numbers ({error}): get it again") from error


def _as_keras(flat: Floats, shape: tuple[int, ...]) -> Floats:
    """As it is where the numbers are too many or too few; then the shapes tell."""
    if flat.size != np.prod(shape):
        return flat
    axes = tuple(reversed(shape[-2:])) + shape[:-2]  # (out, in, rows, columns), (out, in), (n,)
    if len(shape) == 1:
        return flat
    turned = flat.reshape(axes)
    return turned.transpose(2, 3, 1, 0) if len(shape) == 4 else turned.T


def _from_h5(path: Path) -> Callable[[keras.layers.Layer], list[Floats]]:
    try:
        with h5py.File(path) as file:
            stored = file.get("model_weights", file)
            found = {name: _arrays(stored[name]) for name in stored}
    except (OSError, KeyError, AttributeError) as error:
        raise BadModelFile(
            f"{path} is neither a folder of OpenFace's CSV files nor Keras' .h5 ({error})"
        ) from error

    def read(layer: keras.layers.Layer) -> list[Floats]:
        if layer.name not in found:
            raise BadModelFile(f"{path} is not nn4.small2: it has no layer {layer.name}")
        return found[layer.name]

    return read


def _arrays(group: h5py.Group) -> list[Floats]:
    """In the order in which Keras wrote them."""
    return [np.asarray(group[name], np.float32) for name in group.attrs["weight_names"]]
