"""Chips of real faces, and each encoder as it is served."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facetrail.wire import Chips
from workers.encoders.registry import ENTRIES, ServedEncoder, open_encoder


@pytest.fixture(scope="session")
def celebs(test_data: Path) -> Chips:
    """The first chip of each of the twelve people of the test data."""
    folders = sorted((test_data / "faces" / "celebs").iterdir())
    pictures = [cv2.imread(str(min(folder.iterdir()))) for folder in folders]
    return np.stack([picture[..., ::-1] for picture in pictures if picture is not None])


@pytest.fixture(
    scope="session", params=[entry.name for entry in ENTRIES if entry.name != "combined"]
)
def served(request: pytest.FixtureRequest, cache_dir: Path) -> ServedEncoder:
    """One encoder after the other; the weights of two are on every machine."""
    here = request.param in ("dlib_resnet", "nn4_small2")
    model_dir = None if here else request.getfixturevalue("model_dir")
    return open_encoder(request.param, model_dir=model_dir, cache_dir=cache_dir, device="cpu")
