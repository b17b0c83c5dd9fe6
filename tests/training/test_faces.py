"""Photos of people become chips and encodings."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facetrail.wire import Encoder
from ingest.faces.face import Detector, Picture
from training.faces import BATCH, central_chip, central_chips, encoded, read_photo


def test_a_photo_is_read_as_rgb(tmp_path: Path) -> None:
    red = np.zeros((4, 6, 3), np.uint8)
    red[..., 2] = 255  # OpenCV writes BGR
    cv2.imwrite(str(tmp_path / "red.png"), red)
    assert (read_photo(tmp_path / "red.png") == (255, 0, 0)).all()


@pytest.mark.parametrize("name", ["gone.jpg", "text.jpg"])
def test_what_is_no_photo_is_refused_by_its_path(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(FileNotFoundError, match=f"{name} is not there or not an image"):
        read_photo(tmp_path / name)


def test_the_face_in_the_middle_is_the_one_meant(
    detector: Detector, encoder: Encoder, astronaut: Picture, hopper: Picture
) -> None:
    # Given a photo with one face in the middle and another aside
    both = np.hstack([np.zeros((512, 500, 3), np.uint8), hopper[:512], astronaut])

    chip = central_chip(both, detector)

    # I expect the chip of the one in the middle
    alone = central_chip(hopper, detector)
    assert chip is not None
    assert alone is not None
    found, expected = encoder.encode(np.stack([chip, alone]))
    assert np.linalg.norm(found - expected) < 0.5 * encoder.threshold


def test_photos_without_a_face_are_left_out(
    detector: Detector, tmp_path: Path, hopper: Picture
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((100, 100, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "b.png"), np.ascontiguousarray(hopper[..., ::-1]))
    paths, chips = central_chips(sorted(tmp_path.iterdir()), detector)
    assert paths == [tmp_path / "b.png"]
    assert chips.shape == (1, 112, 112, 3)


def test_no_photos_make_no_chips_and_no_encodings(detector: Detector, encoder: Encoder) -> None:
    paths, chips = central_chips([], detector)
    assert (paths, chips.shape) == ([], (0, 112, 112, 3))
    assert encoded(chips, encoder).shape == (0, 128)


def test_chips_are_encoded_in_their_order(encoder: Encoder) -> None:
    random = np.random.default_rng(0)
    chips = random.integers(0, 256, (BATCH + 1, 112, 112, 3), dtype=np.uint8)
    found = encoded(chips, encoder)
    assert found.shape == (BATCH + 1, 128)
    assert found[[0, -1]] == pytest.approx(encoder.encode(chips[[0, -1]]), abs=1e-6)
