"""The description of a user's own encoder: read, or refused by line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from facetrail.errors import BadSettings
from workers.encoders.own_description import Description, Part

LEAST = "threshold: 1.1\nmargin: 0.05\n"


def described(folder: Path, text: str) -> Description:
    path = folder / "mine.yml"
    path.write_text(text)
    return Description.read(path)


def test_a_threshold_and_a_margin_are_enough(tmp_path: Path) -> None:
    found = described(tmp_path, LEAST)
    assert (found.threshold, found.margin) == (1.1, 0.05)
    assert found.shape == (None, 112, 112, 3)
    assert (found.channels, found.mean, found.scale, found.crop) == ("rgb", 0, 1, Part())


def test_everything_may_be_said(tmp_path: Path) -> None:
    found = described(
        tmp_path,
        LEAST
        + "side: 128\nlayout: nchw\nchannels: bgr\nmean: [1, 2, 3]\nscale: 128\nlicence: MIT\n"
        "crop: {left: 8, right: 104}\nprojection: mine.npy\n",
    )
    assert found.shape == (None, 3, 128, 128)
    assert (found.mean, found.scale) == ((1, 2, 3), 128)
    assert found.crop == Part(left=8, top=0, right=104, bottom=112)


def test_a_threshold_does_not_make_another_encoder(tmp_path: Path) -> None:
    first = described(tmp_path, LEAST)
    assert described(tmp_path, "threshold: 0.9\nmargin: 0\nlicence: X").network == first.network
    assert described(tmp_path, LEAST + "channels: bgr").network != first.network


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("margin: 0.05\n", "line 1: threshold is missing; add it"),
        ("", "line 1: threshold is missing; add it"),
        (LEAST + "chanels: bgr", "line 3: chanels is not a known key; did you mean 'channels'?"),
        (LEAST + "crop: {lift: 8}", "line 3: crop.lift is not a known key; did you mean 'left'?"),
        (LEAST + "x: 1", "line 3: x is not a known key; known are threshold, margin, licence"),
        (LEAST + "layout: chw", "line 3: layout can't be used: "),
        (LEAST + "side: 0", "line 3: side can't be used: "),
        (LEAST + "scale: 0", "line 3: scale"),
        (LEAST + "mean: .nan", "line 3: mean"),
        (LEAST + "mean: [1, 2]", "line 3: mean"),
        (LEAST + "crop: {left: 80, right: 20}", "line 3: crop can't be used: right must be more"),
        ("threshold: 2.5\nmargin: 0.05", "line 1: threshold can't be used: "),
        ("- threshold", "line 1 can't be used: expected keys and their values"),
        ("threshold: [", "line 1 is not YAML"),
    ],
)
def test_anything_else_is_refused_by_line_and_key(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(BadSettings) as caught:
        described(tmp_path, text)
    sentence = str(caught.value)
    assert sentence.startswith(f"{tmp_path / 'mine.yml'} ")
    assert why in sentence
    assert "\n" not in sentence


def test_a_missing_description_is_told_with_where_to_read(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="can't be read .*describe the encoder there"):
        Description.read(tmp_path / "mine.yml")
