"""What is evaluated where nobody says what."""

from __future__ import annotations

from pathlib import Path

import pytest

from facetrail.errors import EncoderMismatch
from facetrail.settings import Settings
from training.candidates import names_on_disk, open_candidate, with_mirrored


def test_the_pixels_come_first_and_then_every_encoder_that_is_here(
    model_dir: Path, tmp_path: Path
) -> None:
    here, missing = names_on_disk(Settings(model_dir=None, cache_dir=tmp_path))
    assert here[0] == "pixels" and "dlib_resnet" in here
    assert "retail0095" in missing

    here, missing = names_on_disk(Settings(model_dir=model_dir, cache_dir=tmp_path))
    assert "retail0095" in here
    assert not set(here) & set(missing)


def test_each_encoder_is_followed_by_its_mirrored_self() -> None:
    names = ["pixels", "dlib_resnet", "retail0095+mirrored"]
    assert list(with_mirrored(names)) == [
        "pixels",
        "dlib_resnet",
        "dlib_resnet+mirrored",
        "retail0095+mirrored",
    ]


def test_an_encoder_is_opened_with_what_it_is_shipped_with(
    cache_dir: Path, model_dir: Path
) -> None:
    settings = Settings(model_dir=model_dir, cache_dir=cache_dir)
    pixels, dlib = (open_candidate(name, settings) for name in ("pixels", "dlib_resnet"))
    assert (pixels.threshold, pixels.margin) == (None, None)
    assert (dlib.threshold, dlib.margin) == (0.36, 0.02)
    with pytest.raises(EncoderMismatch, match="there is no encoder 'nonsense'"):
        open_candidate("nonsense", settings)
