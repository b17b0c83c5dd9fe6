"""The gallery's encoder serves, else the operator's, else the best on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from facetrail.errors import BadModelFile, EncoderMismatch
from facetrail.settings import Settings
from workers.encoders.choice import chosen_encoder, chosen_id
from workers.encoders.registry import entry_of

DLIB, RETAIL = entry_of("dlib_resnet").id, entry_of("retail0095").id
Name = Literal["dlib_resnet", "retail0095"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model folder with a file called like the best encoder's."""
    monkeypatch.delenv("FACETRAIL_ENCODER", raising=False)
    (tmp_path / entry_of("retail0095").files[0].name).touch()
    return tmp_path


def settings(model_dir: Path | None, encoder: Name | None = None) -> Settings:
    return Settings(
        encoder=encoder, model_dir=model_dir, cache_dir=Path("/nowhere"), encoder_device="cpu"
    )


@pytest.mark.parametrize("wanted", ["dlib_resnet", "retail0095"])
def test_an_empty_gallery_takes_what_the_operator_wants(wanted: Name, here: Path) -> None:
    assert chosen_id(None, settings(here, wanted)) == entry_of(wanted).id


def test_an_empty_gallery_takes_the_best_on_disk_and_says_so(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chosen_id(None, settings(here)) == RETAIL
    assert RETAIL in capsys.readouterr().out
    assert chosen_id(None, settings(None)) == DLIB


@pytest.mark.parametrize("own", [DLIB, RETAIL])
def test_a_gallery_with_people_keeps_its_own(own: str, here: Path) -> None:
    assert chosen_id(own, settings(here)) == own
    assert chosen_id(own, settings(here, "dlib_resnet" if own == DLIB else "retail0095")) == own


def test_a_gallery_is_not_forced_to_another(here: Path) -> None:
    with pytest.raises(EncoderMismatch) as caught:
        chosen_id(RETAIL, settings(here, "dlib_resnet"))
    assert str(caught.value) == (
        f"FACETRAIL_ENCODER=dlib_resnet, but the gallery belongs to encoder {RETAIL}: unset it, "
        "or remove the gallery's people first"
    )


@pytest.mark.parametrize("wanted", [None, "dlib_resnet"])
def test_a_gallery_of_an_encoder_not_known_here_is_refused(wanted: Name | None) -> None:
    with pytest.raises(EncoderMismatch, match="dlib_resnet@00000000"):
        chosen_id("dlib_resnet@00000000", settings(None, wanted))


def test_a_missing_file_of_the_gallery_s_encoder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadModelFile, match="is not on this machine.*FACETRAIL_MODEL_DIR"):
        chosen_encoder(RETAIL, settings(tmp_path))
