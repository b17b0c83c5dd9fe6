"""Which encoders there are, which is chosen, and what is said of a file that is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facetrail.errors import BadModelFile, EncoderMismatch
from facetrail.settings import ENCODERS
from workers.encoders.registry import (
    ENTRIES,
    UNASKED,
    Entry,
    best_on_disk,
    entry_of,
    open_encoder,
)

EACH = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry.name))


@EACH
def test_an_id_is_the_name_and_eight_digits(entry: Entry) -> None:
    assert re.fullmatch(rf"{entry.name}@[0-9a-f]{{8}}", entry.id)
    assert entry_of(entry.id) is entry_of(entry.name) is entry


@EACH
def test_a_threshold_is_a_distance_and_a_margin_is_less(entry: Entry) -> None:
    assert 0 < entry.margin < entry.threshold < 2


@pytest.mark.parametrize(
    "name", ["", "facenet", "dlib_resnet@00000000", "DLIB_RESNET", "facenet+mirrored", "+mirrored"]
)
def test_an_unknown_encoder_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(EncoderMismatch) as caught:
        entry_of(name)
    assert repr(name) in str(caught.value)
    assert all(entry.id in str(caught.value) for entry in ENTRIES)


def test_settings_know_every_encoder() -> None:
    assert {entry.name for entry in ENTRIES} <= set(ENCODERS)


def test_none_for_research_only_serves_unasked() -> None:
    assert not any(entry_of(name).research_only for name in UNASKED)
    assert entry_of("mobilefacenet").research_only
    assert "research use only" in entry_of("mobilefacenet").files[0].licence


def test_the_best_on_disk_is_chosen(tmp_path: Path) -> None:
    # Given a machine with the embedded default only
    assert best_on_disk(model_dir=None, cache_dir=tmp_path).name == "dlib_resnet"

    # If the recommended one lies in the model folder, or in the cache
    for folder in (tmp_path / "models", tmp_path / "cache" / "models"):
        folder.mkdir(parents=True)
        (folder / entry_of("retail0095").files[0].name).touch()

    # I expect it
    for places in ((tmp_path / "models", tmp_path), (None, tmp_path / "cache")):
        found = best_on_disk(model_dir=places[0], cache_dir=places[1])
        assert found.name == "retail0095"


def test_a_missing_file_is_one_sentence_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(BadModelFile) as caught:
        open_encoder("retail0095", model_dir=tmp_path, cache_dir=tmp_path)
    assert str(caught.value) == (
        "face-reidentification-retail-0095.bin is not on this machine: run `facetrail models "
        "fetch retail0095`, or get the FP16 .bin of face-reidentification-retail-0095 from Intel's "
        "Open Model Zoo, and name its folder in FACETRAIL_MODEL_DIR"
    )


@pytest.mark.parametrize(
    ("cut", "what"), [(100, "is cut short: expected 22466066 bytes, got 22465966"), (0, "altered")]
)
def test_a_damaged_file_is_one_sentence_with_the_mend(tmp_path: Path, cut: int, what: str) -> None:
    # Given the embedded default's file, damaged, where it is looked for first
    file = entry_of("dlib_resnet").files[0]
    data = bytearray(file.open(None, tmp_path).read_bytes())
    data[5000] ^= 1
    (tmp_path / file.name).write_bytes(data[: len(data) - cut])

    with pytest.raises(BadModelFile) as caught:
        open_encoder("dlib_resnet", model_dir=tmp_path, cache_dir=tmp_path / "cache")

    # I expect to be told which file, what is wrong and where to get it, and no conversion
    sentence = str(caught.value)
    assert sentence.startswith(str(tmp_path / file.name))
    assert what in sentence
    assert sentence.endswith(f"delete it and get it again: {file.source}")
    assert not (tmp_path / "cache").exists()
