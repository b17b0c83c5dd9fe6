"""Runs a Keras network on a GPU, by TensorFlow and XLA."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from facetrail.wire import Chips, Encodings

if TYPE_CHECKING:
    import keras

    from workers.encoders.runtime import Build, Precision

#: Keras's names of them. bfloat16 and not float16: it has the range of float32.
POLICIES: dict[Precision, str] = {"f32": "float32", "bf16": "mixed_bfloat16"}


class TensorFlowRuntime:
    """The Keras network as one compiled function, in batches of fixed sizes.

    A size seen for the first time costs a compilation, so batches are filled up to the next
    power of two.
    """

    def __init__(self, model: keras.Model) -> None:
        import tensorflow

        def call(chips: object) -> object:
            found = model(tensorflow.cast(chips, "float32"), training=False)
            return tensorflow.cast(found, "float32")

        self._call = tensorflow.function(call, jit_compile=True, reduce_retracing=False)

    @property
    def compilations(self) -> int:
        """How many sizes of batches were met."""
        return int(self._call.experimental_get_tracing_count())

    def run(self, chips: Chips) -> Encodings:
        count = len(chips)
        filled = np.zeros((1 << (count - 1).bit_length(), *chips.shape[1:]), np.uint8)
        filled[:count] = chips
        return np.asarray(self._call(filled), np.float32)[:count]


def in_precision(build: Build, precision: Precision) -> keras.Model:
    """The network built so that it computes in that precision; its weights are float32."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[precision])
    try:
        return build()
    finally:
        keras.config.set_dtype_policy(before)
