"""`facetrail identify`: each face of a photo gets a name or none, by what is in force."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
import redis
from PIL import Image

from facetrail.cli import identify
from facetrail.errors import BadPicture, GalleryError
from facetrail.settings import Settings
from facetrail.wire import Encoder
from index.calibration import Calibration
from index.enrolment import REASONS, Enroller
from index.gallery import Gallery
from index.replica import Replica
from ingest.faces.face import Detector, Face, Picture
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


def test_a_photo_whose_name_is_not_utf_8_is_told_of(
    facetrail: Run, enrolled: Gallery, group: Path
) -> None:
    path = group.rename(group.with_name(os.fsdecode(b"caf\xe9.png")))
    done = facetrail("identify", path, "--json")
    assert done.returncode == 0, done.stderr
    face = json.loads(done.stdout.splitlines()[0])
    assert face["photo"] == f"{path.parent}/caf\N{REPLACEMENT CHARACTER}.png"


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


def test_whoever_was_removed_meanwhile_is_passed_over(
    settings: Settings,
    enrolled: Gallery,
    group: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given Eileen, who is removed once the gallery has been read, and then Grace
    read = Replica.load
    for name, others in (("Айлин Коллинз", "Grace Hopper"), ("Grace Hopper", None)):

        def load(replica: Replica, name: str = name) -> None:
            read(replica)
            enrolled.remove(name)

        monkeypatch.setattr(Replica, "load", load)

        # If her face is looked up, I expect whoever is left to be the nearest
        identify.run(settings, group, save_to=None, as_json=True)
        face = json.loads(capsys.readouterr().out.splitlines()[0])
        assert (face["verdict"], face["runner_up"], face["margin"]) == ("unknown", None, None)
        assert (face["nearest"] and face["nearest"]["name"]) == others


def test_a_face_that_was_not_looked_up_says_why(
    settings: Settings,
    enrolled: Gallery,
    group: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a face of good size whose five points fall together, and one that is small
    class Odd:
        def detect(self, picture: Picture) -> list[Face]:
            points = np.full((5, 2), 50, np.float32)
            return [Face((0, 0, 100, 100), points, 0.9), Face((9, 0, 30, 30), points, 0.9)]

    monkeypatch.setattr(identify, "photo_detector", lambda settings: Odd())
    identify.run(settings, group, save_to=None, as_json=True)
    faces = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [face["verdict"] for face in faces] == ["no_face", "too_small"]
    assert {"no_face", "too_small"} <= set(REASONS)
    identify.run(settings, group, save_to=None, as_json=False)
    one, other = capsys.readouterr().out.splitlines()
    assert one.endswith(": no face, its points can't be aligned")
    assert other.endswith(": too small, 30 pixels high")


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


def test_who_can_t_be_meant_does_not_hide_who_can(
    settings: Settings, enrolled: Gallery, group: Path, capsys: Capture
) -> None:
    # Given Eileen, whose time is over, and then another one with the same face
    def first() -> dict[str, Any]:
        identify.run(settings, group, save_to=None, as_json=True)
        face: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[0])
        return face

    eileen = enrolled.describe("Айлин Коллинз", active_until="2001-01-01")
    alone = first()
    assert (alone["verdict"], alone["ruled_out"]) == ("unknown", True)
    assert alone["nearest"]["name"] == eileen.name
    (photo, *_) = enrolled.photos(eileen.id)
    other = msgspec.structs.replace(photo, digest="0" * 64)
    enrolled.enrol("Eileen", [other], encoder=enrolled.encoder or "")
    both = first()
    assert (both["verdict"], both["ruled_out"]) == ("named", False)
    assert both["nearest"]["name"] == "Eileen"
