"""A user's Keras file becomes an encoder."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import layers, ops

from facetrail.errors import BadModelFile

# Their layers may be in the file; Keras knows them by these imports.
from workers.encoders import base, nn4_small2, retail0095  # noqa: F401
from workers.encoders.axis import CHIP_SIDE, Axis
from workers.encoders.base import (
    LOADING_FAULTS,
    Crop,
    Tensor,
    encoder_of,
    mirrored,
    projected,
)
from workers.encoders.own_description import Description, Part

if TYPE_CHECKING:
    from workers.encoders.own import OwnEncoder


def keras_encoder(own: OwnEncoder) -> keras.Model:
    """The encoder: `(n, 112, 112, 3)` chips to `(n, 128)` of length 1. Raises BadModelFile."""
    whole = keras_features(own)
    own.checked_width(whole.output_shape[1])
    if own.projection is not None:
        whole = projected(whole, own.projection)
    encoder = encoder_of(whole, name="own")
    return mirrored(encoder) if own.mirrored else encoder


def keras_features(own: OwnEncoder) -> keras.Model:
    """Chips to the file's own numbers, `(n, m)`, of length 1. Raises BadModelFile."""
    network = _loaded(own)
    chips = keras.Input((CHIP_SIDE, CHIP_SIDE, 3), name="chips")
    x = network(_prepared(chips, own.description))
    x = layers.UnitNormalization(name="unit_own")(x)
    return keras.Model(chips, x, name="own_features")


def _prepared(chips: Tensor, how: Description) -> Tensor:
    x = chips
    if (how.side, how.crop) != (CHIP_SIDE, Part()):
        rows = Axis.between(how.crop.top, how.crop.bottom, how.side)
        columns = Axis.between(how.crop.left, how.crop.right, how.side)
        x = Crop(rows, columns, name="crop")(x)
    if how.channels == "bgr":
        x = x[..., ::-1]
    x = (x - np.asarray(how.mean, np.float32)) / np.asarray(how.scale, np.float32)
    return ops.transpose(x, (0, 3, 1, 2)) if how.layout == "nchw" else x


def _loaded(own: OwnEncoder) -> keras.Model:
    """The file's network, of the shapes that its description says. Raises BadModelFile."""
    if not zipfile.is_zipfile(own.path):
        raise BadModelFile(f"{own.path} is not a file that Keras wrote, or is cut short")
    try:
        network = keras.saving.load_model(own.path, compile=False, safe_mode=True)
    except LOADING_FAULTS as error:
        reason = str(error).partition("\n")[0][:300]
        raise BadModelFile(f"{own.path} can't be loaded by Keras: {reason}") from error
    takes, gives = (_shapes(getattr(network, kind, [])) for kind in ("inputs", "outputs"))
    if takes != [own.description.shape]:
        raise BadModelFile(
            f"{own.path}: expected one input of shape {own.description.shape}, as "
            f"{own.path.stem}.yml says, got {_listed(takes)}"
        )
    if len(gives) != 1 or len(gives[0]) != 2 or gives[0][1] is None:
        raise BadModelFile(
            f"{own.path}: expected one output of shape (None, 128), got {_listed(gives)}"
        )
    return network


def _shapes(tensors: list[Tensor]) -> list[tuple[int | None, ...]]:
    return [tuple(tensor.shape) for tensor in tensors]


def _listed(shapes: list[tuple[int | None, ...]]) -> str:
    return " and ".join(map(str, shapes)) or "none"
