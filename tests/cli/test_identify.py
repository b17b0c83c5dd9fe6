"""`facetrail identify`: each face of a photo gets a name or none, by what is in force."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import redis
from PIL import Image

from facetrail.cli import identify
from facetrail.errors import BadPicture, GalleryError
from facetrail.settings import Settings
from facetrail.wire import Encoder
from index.calibration import Calibration
from index.enrolment import Enroller
from index.gallery import Gallery
from ingest.faces.face import Detector, Picture
from tests.cli.conftest import Run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def enrolled(gallery: Gallery, detector: Detector, encoder: Encoder, photos: Path) -> Gallery:
    enroller = Enroller(gallery, detector, encoder, min_face=40)
    enroller.enrol("Айлин Коллинз", [photos / "eileen.png"])
    enroller.enrol("Grace Hopper", [photos / "grace.jpg"])
    return gallery


@pytest.fixture
def settings(redis_url: str, cache_dir: Path) -> Settings:
    return Settings(redis_url=redis_url, cache_dir=cache_dir, threads=1, model_dir=None)


@pytest.fixture
def group(astronaut: Picture, hopper: Picture, tmp_path: Path) -> Path:
    """Eileen, Grace, and Grace again, far too small."""
    small = cv2.resize(hopper, (64, 75), interpolation=cv2.INTER_AREA)
    picture = np.full((600, 1200, 3), 128, np.uint8)
    picture[:512, :512] = astronaut
    picture[:, 512:1024] = hopper
    picture[300:375, 1080:1144] = small
    path = tmp_path / "group.png"
    cv2.imwrite(str(path), np.ascontiguousarray(picture[..., ::-1]))
    return path


def test_everybody_enrolled_in_a_photo_is_named(
    facetrail: Run, enrolled: Gallery, group: Path, tmp_path: Path
) -> None:
    before = sorted(enrolled.client.keys())
    target = tmp_path / "named.png"
    done = facetrail("identify", group, "--save", target, "--json")

    # I expect them from left to right, with what decided
    assert done.returncode == 0, done.stderr
    faces = [json.loads(line) for line in done.stdout.splitlines()]
    assert [face["verdict"] for face in faces[:2]] == ["named", "named"]
    assert [face["nearest"]["name"] for face in faces[:2]] == ["Айлин Коллинз", "Grace Hopper"]
    assert all(face["verdict"] == "too_small" for face in faces[2:])
    first = faces[0]
    assert first["nearest"]["distance"] < first["threshold"] == 0.36
    assert first["runner_up"]["name"] == "Grace Hopper"
    lead = first["runner_up"]["distance"] - first["nearest"]["distance"]
    assert first["margin"] == pytest.approx(lead) and lead > first["margin_wanted"]
    assert first["index_position"] == enrolled.position()

    # and a picture of them, and nothing left behind in Redis
    with Image.open(target) as picture:
        assert picture.size == (1200, 600)
        x, y, _, height = faces[0]["box"]
        assert picture.getpixel((round(x), round(y + height / 2))) == (20, 110, 55)
    assert sorted(enrolled.client.keys()) == before


def test_the_threshold_in_force_decides(
    settings: Settings, enrolled: Gallery, group: Path, encoder: Encoder, capsys: Capture
) -> None:
    lower = Calibration(threshold=0.01, margin=0.0, fpir=0.01, calibrated_at="")
    enrolled.calibrate(encoder.id, lower)
    identify.run(settings, group, save_to=None, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert ": unknown; nearest Айлин Коллинз, distance 0." in lines[0]
    assert " > 0.010; next Grace Hopper at 0." in lines[0]


def test_a_lead_too_small_is_nobody_and_says_so(
    settings: Settings, enrolled: Gallery, group: Path, encoder: Encoder, capsys: Capture
) -> None:
    wide = Calibration(threshold=1.0, margin=1.9, fpir=0.01, calibrated_at="")
    enrolled.calibrate(encoder.id, wide)
    identify.run(settings, group, save_to=None, as_json=False)
    assert ", margin 0." in (line := capsys.readouterr().out.splitlines()[0])
    assert " < 1.900; next" in line and ": unknown; " in line


def test_one_person_alone_in_the_gallery_has_no_runner_up(
    settings: Settings, enrolled: Gallery, group: Path, capsys: Capture
) -> None:
    enrolled.remove("Grace Hopper")
    identify.run(settings, group, save_to=None, as_json=True)
    one, other, *_ = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (one["verdict"], one["runner_up"], one["margin"]) == ("named", None, None)
    assert other["verdict"] == "unknown"


def test_a_photo_without_a_face_is_refused(
    settings: Settings, enrolled: Gallery, photos: Path
) -> None:
    with pytest.raises(BadPicture, match="nobody.jpg: no face was found"):
        identify.run(settings, photos / "nobody.jpg", save_to=None, as_json=False)


def test_without_anybody_enrolled_it_is_one_sentence(
    settings: Settings, client: redis.Redis, group: Path
) -> None:
    with pytest.raises(GalleryError, match="nobody is enrolled: `facetrail enroll`"):
        identify.run(settings, group, save_to=None, as_json=False)
