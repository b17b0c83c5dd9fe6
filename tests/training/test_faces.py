"""Photos of people become chips and encodings."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facetrail.errors import BadPicture
from facetrail.wire import Encoder
from ingest.faces.face import Detector, Face, Picture
from training.faces import BATCH, aligned, central_face, chips_of, encoded, read_photo, unaligned


def chip_of(picture: Picture, detector: Detector) -> Picture:
    """Of the face nearest to the middle."""
    face = central_face(picture, detector)
    assert face is not None
    chip = aligned(picture, face)
    assert chip is not None
    return chip


def test_a_photo_is_read_as_rgb(tmp_path: Path) -> None:
    red = np.zeros((4, 6, 3), np.uint8)
    red[..., 2] = 255  # OpenCV writes BGR
    cv2.imwrite(str(tmp_path / "red.png"), red)
    assert (read_photo(tmp_path / "red.png") == (255, 0, 0)).all()


@pytest.mark.parametrize(
    ("name", "sentence"), [("gone.jpg", "can't be read"), ("text.jpg", "is not an image")]
)
def test_what_is_no_photo_is_refused_by_its_path(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(BadPicture, match=f"{name} {sentence}"):
        read_photo(tmp_path / name)


def test_the_face_in_the_middle_is_the_one_meant(
    detector: Detector, encoder: Encoder, astronaut: Picture, hopper: Picture
) -> None:
    # Given a photo with one face in the middle and another aside
    both = np.hstack([np.zeros((512, 500, 3), np.uint8), hopper[:512], astronaut])

    chip = chip_of(both, detector)

    # I expect the chip of the one in the middle
    found, expected = encoder.encode(np.stack([chip, chip_of(hopper, detector)]))
    assert np.linalg.norm(found - expected) < 0.5 * encoder.threshold


def test_what_can_not_be_used_is_told_apart(
    detector: Detector, tmp_path: Path, hopper: Picture
) -> None:
    # Given a black picture, a face, and a text file named as a photo
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((100, 100, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "b.png"), np.ascontiguousarray(hopper[..., ::-1]))
    (tmp_path / "c.jpg").write_text("no picture")

    found = chips_of(sorted(tmp_path.iterdir()), detector, (aligned, unaligned))

    # I expect the face, cut in both ways, and a reason for each of the others
    assert found.paths == [tmp_path / "b.png"]
    assert [chips.shape for chips in found.crops] == [(1, 112, 112, 3)] * 2
    assert [str(error) for error in found.without_face] == [f"{tmp_path}/a.png: no face was found"]
    assert [str(error).split()[0] for error in found.unreadable] == [f"{tmp_path}/c.jpg"]


def test_a_chip_stays_as_it_is_where_chips_are_taken(
    detector: Detector, tmp_path: Path, hopper: Picture
) -> None:
    chip = chip_of(hopper, detector)
    cv2.imwrite(str(tmp_path / "chip.png"), np.ascontiguousarray(chip[..., ::-1]))
    (kept,) = chips_of([tmp_path / "chip.png"], detector, takes_chips=True).chips
    assert (kept == chip).all()


def test_a_plain_crop_is_the_box_made_square_without_turning_the_face() -> None:
    # Given a picture with a white box, higher than wide, touching the left edge
    picture = np.zeros((300, 300, 3), np.uint8)
    picture[100:212, 0:56] = 255
    points = np.zeros((5, 2), np.float32)

    chip = unaligned(picture, Face((0.0, 100.0, 56.0, 112.0), points, 1.0))

    # I expect it in the middle of the crop, as high as it, and no crop of a box without size
    assert chip is not None
    assert (chip[:, 28:84] == 255).all()
    assert (chip[:, :28] == 0).all() and (chip[:, 84:] == 0).all()
    assert unaligned(picture, Face((5.0, 5.0, 0.0, 0.0), points, 1.0)) is None


def test_no_photos_make_no_chips_and_no_encodings(detector: Detector, encoder: Encoder) -> None:
    found = chips_of([], detector)
    assert (found.paths, found.chips.shape) == ([], (0, 112, 112, 3))
    assert encoded(found.chips, encoder).shape == (0, 128)


def test_chips_are_encoded_in_their_order(encoder: Encoder) -> None:
    random = np.random.default_rng(0)
    chips = random.integers(0, 256, (BATCH + 1, 112, 112, 3), dtype=np.uint8)
    found = encoded(chips, encoder)
    assert found.shape == (BATCH + 1, 128)
    assert found[[0, -1]] == pytest.approx(encoder.encode(chips[[0, -1]]), abs=1e-6)
