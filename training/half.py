"""A Keras file whose weights are kept in 16 bits: half the size, read as 32 bits again."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import h5py
import numpy as np

WEIGHTS = "model.weights.h5"


def halve(path: Path) -> None:
    """Keeps the float32 weights of a `.keras` file as float16. Raises OSError."""
    with zipfile.ZipFile(path) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    parts[WEIGHTS] = _halved(parts[WEIGHTS])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as half:
        for name, data in parts.items():
            half.writestr(name, data)


def _halved(data: bytes) -> bytes:
    """The HDF5 file anew: a data set changed in place would keep its old room."""
    to = io.BytesIO()
    with h5py.File(io.BytesIO(data)) as whole, h5py.File(to, "w") as half:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                made: h5py.Group | h5py.Dataset = half.require_group(name)
            elif item.dtype == np.float32:
                made = half.create_dataset(name, data=item[()].astype(np.float16))
            else:
                made = half.create_dataset(name, data=item[()])
            made.attrs.update(item.attrs)

        half.attrs.update(whole.attrs)
        whole.visititems(copy)
    return to.getvalue()
