"""combined: retail0095 and dlib_resnet side by side, projected to 128 numbers.

The two err on different faces, so both together are more accurate than either; a chip costs
what it costs in each.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from keras import layers

from workers.encoders import dlib_resnet, retail0095
from workers.encoders.base import encoder_of, projected

PROJECTION = Path(__file__).with_name("combined_projection.npy")
#: dlib's encodings lie closer together than Intel's; so much larger they weigh alike.
WEIGHT_OF_DLIB = 2**0.5


def combined(retail_weights: Path, dlib_weights: Path) -> keras.Model:
    """The encoder: `(n, 112, 112, 3)` chips to `(n, 128)` of length 1."""
    features = both(retail_weights, dlib_weights)
    return encoder_of(projected(features, np.load(PROJECTION)), name="combined")


def both(retail_weights: Path, dlib_weights: Path) -> keras.Model:
    """Chips to `(n, 384)`: 256 numbers of length 1, then 128 of length √2."""
    chips = keras.Input((112, 112, 3), name="chips")
    intels = retail0095.features(retail_weights)(chips)
    dlibs = dlib_resnet.dlib_resnet(dlib_weights)(chips)
    dlibs = layers.Rescaling(WEIGHT_OF_DLIB, name="weight_of_dlib")(dlibs)
    return keras.Model(chips, layers.Concatenate(name="both")([intels, dlibs]), name="both")
