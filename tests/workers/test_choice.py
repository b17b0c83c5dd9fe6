"""The gallery's encoder serves, else the operator's, else the best on disk."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facetrail.errors import BadModelFile, EncoderMismatch
from facetrail.settings import Settings
from workers.encoders.choice import chosen, chosen_encoder, is_here
from workers.encoders.registry import entry_of

DLIB, RETAIL = entry_of("dlib_resnet").id, entry_of("retail0095").id


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model folder with a file called like the best encoder's."""
    monkeypatch.delenv("FACETRAIL_ENCODER", raising=False)
    (tmp_path / entry_of("retail0095").files[0].name).touch()
    return tmp_path


def settings(model_dir: Path | None, encoder: str | None = None) -> Settings:
    return Settings(
        encoder=encoder, model_dir=model_dir, cache_dir=Path("/nowhere"), encoder_device="cpu"
    )


@pytest.mark.parametrize("wanted", ["dlib_resnet", "retail0095", "dlib_resnet+mirrored"])
def test_an_empty_gallery_takes_what_the_operator_wants(wanted: str, here: Path) -> None:
    assert chosen(None, settings(here, wanted)).id == entry_of(wanted).id


def test_an_empty_gallery_takes_the_best_on_disk_and_says_so(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chosen(None, settings(here)).id == RETAIL
    assert RETAIL in capsys.readouterr().out
    assert chosen(None, settings(None)).id == DLIB


@pytest.mark.parametrize("own", [DLIB, RETAIL])
def test_a_gallery_with_people_keeps_its_own(own: str, here: Path) -> None:
    assert chosen(own, settings(here)).id == own
    assert chosen(own, settings(here, "dlib_resnet" if own == DLIB else "retail0095")).id == own


def test_a_gallery_is_not_forced_to_another(here: Path) -> None:
    with pytest.raises(EncoderMismatch) as caught:
        chosen(RETAIL, settings(here, "dlib_resnet"))
    assert str(caught.value) == (
        f"FACETRAIL_ENCODER=dlib_resnet, but the gallery belongs to encoder {RETAIL}: unset it, "
        "or move the gallery with `facetrail people re-encode`"
    )


@pytest.mark.parametrize("wanted", [None, "dlib_resnet"])
def test_a_gallery_of_an_encoder_not_known_here_is_refused(wanted: str | None) -> None:
    with pytest.raises(EncoderMismatch, match="dlib_resnet@00000000"):
        chosen("dlib_resnet@00000000", settings(None, wanted))


def test_a_missing_file_of_the_gallery_s_encoder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadModelFile, match="is not on this machine.*FACETRAIL_MODEL_DIR"):
        chosen_encoder(RETAIL, settings(tmp_path))


def test_an_operator_s_own_encoder_serves(own: Path) -> None:
    # Given an empty gallery, I expect the file's; and again for the gallery it is bound to then
    wanted = settings(None, str(own)).model_copy(update={"cache_dir": own.parent / "cache"})
    first = chosen_encoder(None, wanted)
    assert (first.threshold, first.margin) == (0.5, 0.1)
    assert re.fullmatch("mine@[0-9a-f]{8}", first.id)
    assert chosen_encoder(first.id, wanted).id == first.id

    # If its preparation changes, it is another encoder
    description = own.with_suffix(".yml")
    description.write_text(description.read_text() + "channels: bgr\n")
    with pytest.raises(EncoderMismatch, match=f"the gallery belongs to encoder {first.id}"):
        chosen_encoder(first.id, wanted)


def test_a_gallery_of_an_own_encoder_without_its_file_is_told_how(own: Path) -> None:
    with pytest.raises(EncoderMismatch, match="no encoder 'mine@12345678'.*your own by its file"):
        chosen("mine@12345678", settings(None))


def test_an_encoder_is_here_when_its_files_are(own: Path, here: Path) -> None:
    for name in (str(own), f"{own}+mirrored", "retail0095+mirrored", RETAIL, "combined"):
        assert is_here(name, settings(here)), name
    for name in (str(own.with_name("none.onnx")), "mobilefacenet", "mine@12345678"):
        assert not is_here(name, settings(here)), name
