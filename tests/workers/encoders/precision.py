"""In which precision a network computes."""

from __future__ import annotations

import keras


def precisions(model: keras.Model) -> set[str]:
    """In which the convolutions compute."""
    parts = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    own = {layer.compute_dtype for layer in model.layers if isinstance(layer, keras.layers.Conv2D)}
    return own.union(*(precisions(part) for part in parts))
