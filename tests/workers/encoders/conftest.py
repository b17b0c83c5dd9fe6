"""Chips of real faces, and each encoder as it is served."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facetrail.wire import Chips
from ingest.faces.align import align
from ingest.faces.face import Detector, Picture
from workers.encoders.registry import ServedEncoder, open_encoder


@pytest.fixture(scope="session")
def chips(detector: Detector, astronaut: Picture, hopper: Picture) -> Chips:
    """Five chips: two people, each also mirrored, and noise."""
    found = [
        align(picture, detector.detect(picture)[0].landmarks) for picture in (astronaut, hopper)
    ]
    noise = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    mirrored = [chip[:, ::-1] for chip in found if chip is not None]
    return np.stack([chip for chip in (*found, *mirrored, noise) if chip is not None])


@pytest.fixture(scope="session")
def celebs(test_data: Path) -> Chips:
    """The first chip of each of the twelve people of the test data."""
    folders = sorted((test_data / "faces" / "celebs").iterdir())
    pictures = [cv2.imread(str(min(folder.iterdir()))) for folder in folders]
    return np.stack([picture[..., ::-1] for picture in pictures if picture is not None])


@pytest.fixture(scope="session", params=["dlib_resnet", "retail0095"])
def served(request: pytest.FixtureRequest, cache_dir: Path) -> ServedEncoder:
    """One encoder after the other; retail0095's weights come with no package."""
    own = request.param == "dlib_resnet"
    model_dir = None if own else request.getfixturevalue("model_dir")
    return open_encoder(request.param, model_dir=model_dir, cache_dir=cache_dir, device="cpu")
