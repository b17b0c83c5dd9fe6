"""The DET curve: its numbers, and a picture that can be looked at."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facetrail.errors import BadSettings
from training.det_curve import DOTS_PER_INCH, INCHES, Curve, checked_png, curve, save
from training.identification import Draw, Lookup


def lookup(distances: list[float]) -> Lookup:
    count = len(distances)
    return Lookup(np.zeros(count, np.int_), np.array(distances, np.float32), np.ones(count))


@pytest.fixture
def one() -> Curve:
    """Of ten strangers at 1.0 to 1.9 and four enrolled people's photos among them."""
    strangers = lookup([1 + i / 10 for i in range(10)])
    draw = Draw(lookup([0.5, 1.05, 1.25, 1.95]), np.zeros(4, np.int_), strangers)
    return curve("one photo", "Ümlaut encoder", 0, [draw], margin=0)


def test_the_curve_runs_from_one_stranger_with_a_name_to_all(one: Curve) -> None:
    assert one.fpir == pytest.approx([i / 10 for i in range(1, 11)])
    assert one.fnir == pytest.approx([0.5, 0.5, *[0.25] * 7, 0.0])


def test_a_picture_is_drawn_and_nothing_else_left(one: Curve, tmp_path: Path) -> None:
    save([one, one], tmp_path / "det.png", title="12 people")
    picture = cv2.imread(str(tmp_path / "det.png"))
    assert picture is not None
    assert picture.shape[1::-1] == tuple(DOTS_PER_INCH * inches for inches in INCHES)
    # the colour of the curve, as matplotlib has it: blue, written BGR
    assert (np.abs(picture.astype(int) - (180, 119, 31)).sum(axis=2) < 10).sum() > 500
    assert list(tmp_path.iterdir()) == [tmp_path / "det.png"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("det.jpg", "is not called like a PNG"), ("gone/det.png", "gone is not a folder: make it")],
)
def test_a_picture_that_can_not_be_written_is_refused_before_the_work(
    name: str, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(BadSettings, match=sentence):
        checked_png(tmp_path / name)


def test_a_picture_that_can_not_be_written_in_the_end_is_one_sentence(
    one: Curve, tmp_path: Path
) -> None:
    (tmp_path / "det.png").mkdir()
    with pytest.raises(BadSettings, match=r"det.png can't be written \(Is a directory\)"):
        save([one], tmp_path / "det.png", title="")
    assert list(tmp_path.iterdir()) == [tmp_path / "det.png"]
