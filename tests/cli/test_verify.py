"""`facetrail verify`: a distance, a verdict, and a picture of both."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import pytest
from PIL import Image
from typer.testing import CliRunner

from facetrail.cli import verify
from facetrail.cli.app import app
from facetrail.errors import BadPicture, BadSettings
from facetrail.settings import Settings
from facetrail.wire import Encoder
from tests.cli.conftest import Run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def settings(cache_dir: Path, encoder: Encoder) -> Settings:
    """encoder: it is converted by now."""
    return Settings(
        encoder="dlib_resnet", cache_dir=cache_dir, threads=1, redis_url=None, model_dir=None
    )


def test_two_people_are_not_the_same_which_is_an_answer(
    facetrail: Run, photos: Path, tmp_path: Path
) -> None:
    target = tmp_path / "pair.png"
    done = facetrail(
        "verify",
        photos / "eileen.png",
        photos / "grace.jpg",
        "--save",
        target,
        FACETRAIL_REDIS_URL="",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("not the same person: distance ")
    assert "> 0.360 (dlib_resnet@55533b28)" in done.stdout
    with Image.open(target) as picture:
        assert picture.width > 1000 and picture.height > 720


def test_one_person_in_two_photos_is_the_same(
    settings: Settings, photos: Path, tmp_path: Path, capsys: Capture
) -> None:
    # Given a photo and a smaller copy that is mirrored, whose name is no UTF-8
    other = tmp_path / os.fsdecode(b"\xff.jpg")
    picture = cv2.imread(str(photos / "grace.jpg"))
    assert picture is not None
    mirrored = cv2.flip(cv2.resize(picture, None, fx=0.8, fy=0.8), 1)
    other.write_bytes(cv2.imencode(".jpg", mirrored)[1].tobytes())
    paths = (photos / "grace.jpg", other)

    verify.run(settings, paths, threshold=None, save_to=None, as_json=True)

    found = json.loads(capsys.readouterr().out)
    assert found["same"] and 0 < found["distance"] <= found["threshold"] == 0.36
    assert found["similarity"] == pytest.approx(1 - found["distance"] ** 2 / 2, abs=1e-3)
    assert found["photos"] == [str(paths[0]), str(tmp_path / "\N{REPLACEMENT CHARACTER}.jpg")]
    assert [len(box) for box in found["boxes"]] == [4, 4]
    assert found["boxes"][0][3] > found["boxes"][1][3]

    # and not by a threshold below that
    verify.run(settings, paths, threshold=found["distance"] / 2, save_to=None, as_json=True)
    assert not json.loads(capsys.readouterr().out)["same"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nobody.jpg", "no_face"),
        ("three.jpg", "several_faces"),
        ("small.png", "too_small"),
        ("text.jpg", "not_an_image"),
        ("missing.jpg", "not_an_image"),
    ],
)
def test_a_photo_of_no_use_is_named_with_the_reason(
    name: str, reason: str, settings: Settings, photos: Path
) -> None:
    paths = (photos / "eileen.png", photos / name)
    with pytest.raises(BadPicture, match=name) as caught:
        verify.run(settings, paths, threshold=None, save_to=None, as_json=False)
    assert caught.value.reason == reason


@pytest.mark.parametrize("target", ["picture.txt", "missing/picture.png", "folder.png", "picture"])
def test_a_picture_that_cant_be_saved_is_found_before_the_work(
    target: str, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "folder.png").mkdir()
    missing = (tmp_path / "a.jpg", tmp_path / "b.jpg")
    with pytest.raises(BadSettings, match=str(tmp_path / target)):
        verify.run(settings, missing, threshold=None, save_to=tmp_path / target, as_json=False)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


@pytest.mark.parametrize("threshold", ["0", "2.1", "nan", "-1"])
def test_a_threshold_that_is_no_distance_is_wrong_usage(threshold: str) -> None:
    arguments = ["verify", "a.jpg", "b.jpg", "--threshold", threshold]
    shown = CliRunner().invoke(app, arguments, prog_name="facetrail")
    assert (shown.exit_code, shown.stdout) == (2, "")
