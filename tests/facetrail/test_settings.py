"""Settings: read from the environment, refused by the name of the variable."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from facetrail.errors import BadSettings
from facetrail.settings import ENCODERS, Settings, read_settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("FACETRAIL_")]:
        monkeypatch.delenv(name)


def test_every_setting_has_a_default_that_can_be_used() -> None:
    settings = read_settings()
    assert settings.redis_url is None
    assert settings.encoder is None
    assert settings.models["model_dir"] is None


def test_every_setting_is_described() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name


def test_a_variable_changes_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACETRAIL_BATCH_SIZE", "64")
    assert read_settings().batch_size == 64


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FACETRAIL_BATCH_SIZE", "many"),
        ("FACETRAIL_BATCH_SIZE", "0"),
        ("FACETRAIL_DETECTION_SCORE", "1.5"),
        ("FACETRAIL_DETECTOR", "haar"),
        ("FACETRAIL_ENCODER", "facenet"),
        ("FACETRAIL_KEY_PREFIX", "no colon"),
        ("FACETRAIL_LOG_JSON", "perhaps"),
    ],
)
def test_a_bad_value_is_named_with_its_variable(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(BadSettings) as caught:
        read_settings()
    assert str(caught.value).startswith(f"{variable}={value!r} can't be used: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["combined", "dlib_resnet+mirrored", "models/mine.onnx", "mine.keras+mirrored"]
)
def test_an_encoder_is_a_name_or_a_file_perhaps_mirrored(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACETRAIL_ENCODER", name)
    assert read_settings().encoder == name


def test_an_unknown_encoder_is_refused_with_those_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("facenet", "", "+mirrored", "mine.h5", "dlib_resnet+mirrored+mirrored"):
        monkeypatch.setenv("FACETRAIL_ENCODER", name)
        with pytest.raises(BadSettings) as caught:
            read_settings()
        assert all(known in str(caught.value) for known in ENCODERS)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        read_settings().batch_size = 1  # type: ignore[misc]


def test_a_home_folder_is_filled_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FACETRAIL_MODEL_DIR", "~/models")
    assert read_settings().models == {
        "model_dir": tmp_path / "models",
        "cache_dir": tmp_path / ".cache" / "facetrail",
    }
