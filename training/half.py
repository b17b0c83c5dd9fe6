"""A Keras file whose weights are kept in 16 bits: half the size, read as 32 bits again."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import h5py
import numpy as np

WEIGHTS = "model.weights.h5"


def halve(path: Path, to: Path) -> None:
    """Copies a `.keras` file with its float32 weights as float16. Raises OSError."""
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as half:
        for name in whole.namelist():
            data = whole.read(name)
            half.writestr(name, _halved(data) if name == WEIGHTS else data)


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
