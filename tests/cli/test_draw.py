"""Pictures that can be read at any size, with names in any of many scripts."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facetrail.cli.draw import COLOURS, LEAST_SIDE, Mark, pair, with_marks
from facetrail.cli.labels import Labels, cut, font
from facetrail.cli.picture_file import save
from facetrail.errors import BadSettings
from ingest.faces.face import Face, Picture

NAMED, UNKNOWN = COLOURS["named"], COLOURS["unknown"]


def face(x: float, y: float, width: float, height: float) -> Face:
    return Face((x, y, width, height), np.zeros((5, 2), np.float32), 0.9)


def grey(height: int, width: int) -> Picture:
    return np.full((height, width, 3), 200, np.uint8)


def share(image: Image.Image, colour: tuple[int, int, int]) -> float:
    """Of the pixels, those of a colour."""
    return float(np.mean(np.all(np.asarray(image) == colour, axis=2)))


@pytest.mark.parametrize(
    "height, width", [(30, 30), (600, 800), (1500, 2000), (20, 900), (900, 20)]
)
def test_a_label_is_legible_at_any_size(height: int, width: int) -> None:
    mark = Mark(face(width / 3, height / 3, width / 4, height / 4), ["Ada", "0.31"], "named")
    image = with_marks(grey(height, width), [mark])
    assert max(image.size) == max(height, width, LEAST_SIDE)
    assert share(image, NAMED) > 0.001
    assert share(image, (255, 255, 255)) > 0


def test_labels_side_by_side_do_not_hide_each_other() -> None:
    # Given two faces closer than their names are wide
    marks = [
        Mark(face(300, 300, 60, 80), ["Ada Lovelace", "0.31"], "named"),
        Mark(face(380, 300, 60, 80), ["unknown", "0.99"], "unknown"),
    ]
    both = with_marks(grey(900, 900), marks)
    for mark in marks:
        alone = with_marks(grey(900, 900), [mark])
        shares = (share(image, COLOURS[mark.kind]) for image in (both, alone))
        assert next(shares) == pytest.approx(next(shares), rel=0.05)


def test_where_there_is_no_room_a_label_is_shortened() -> None:
    image = Image.new("RGB", (900, 900))
    Labels(image, []).add((400, 400, 480, 500), ["Ada Lovelace", "0.31"], NAMED)
    crowded = Image.new("RGB", (900, 900))
    Labels(crowded, [(0, 0, 900, 900)]).add((400, 400, 480, 500), ["Ada Lovelace", "0.31"], NAMED)
    assert 0 < share(crowded, NAMED) < share(image, NAMED) / 2


def test_a_pair_is_shown_under_its_verdict_whatever_the_photos_sizes() -> None:
    one = grey(50, 40), Mark(face(5, 5, 20, 30), ["a.jpg"], "unknown")
    other = grey(400, 4000), Mark(face(50, 50, 200, 300), ["b.jpg"], "unknown")
    image = pair([one, other], "not the same person", "distance 1.20 > 0.36", "unknown")
    assert image.size == (576 + 900, 110 + 720)
    assert image.getpixel((3, 3)) == UNKNOWN


@pytest.mark.parametrize("name", ["Žofie", "Łukasz", "Ελένη", "Айлин", "مرحبا", "Nguyễn"])
def test_each_letter_of_a_name_has_a_shape(name: str) -> None:
    letters = font(30)
    missing = bytes(letters.getmask("\uffff"))
    assert all(bytes(letters.getmask(letter)) != missing for letter in name)


def test_a_line_too_long_is_cut() -> None:
    letters = font(20)
    assert cut("Ada", letters, 500) == "Ada"
    short = cut("x" * 200, letters, 100)
    assert short.endswith("…") and letters.getlength(short) <= 100


@pytest.mark.parametrize(("name", "most"), [("a.webp", 16_383), ("a.jpg", 65_500)])
def test_a_picture_longer_than_its_format_has_is_one_sentence(
    name: str, most: int, tmp_path: Path
) -> None:
    target = tmp_path / name
    save(Image.new("RGB", (1, most)), target)
    target.unlink()
    sentence = f"{name} would have 1x{most + 1} pixels, and a .* has at most {most}.* in .png"
    with pytest.raises(BadSettings, match=sentence):
        save(Image.new("RGB", (1, most + 1)), target)
    assert os.listdir(tmp_path) == []
    save(Image.new("RGB", (1, most + 1)), target.with_suffix(".png"))


def test_a_picture_that_cant_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "picture.jpg"
    target.mkdir()
    with pytest.raises(BadSettings, match="picture.jpg can't be written"):
        save(Image.new("RGB", (9, 9)), target)
    assert os.listdir(tmp_path) == ["picture.jpg"]
