"""Both detectors find the faces there are, where they are, and no others."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facetrail.errors import BadModelFile
from ingest.faces.detect import DetectorName, open_detector
from ingest.faces.face import Detector, Face, Picture
from ingest.faces.network import Precision
from ingest.faces.yunet import FILE as YUNET

NAMES: tuple[DetectorName, ...] = ("centerface", "yunet")


@pytest.fixture(scope="module", params=NAMES)
def each(request: pytest.FixtureRequest, cache_dir: Path) -> Detector:
    """One detector after the other; YuNet's file comes with no package."""
    if request.param == "centerface":
        return open_detector("centerface", model_dir=None, cache_dir=cache_dir)
    model_dir = request.getfixturevalue("model_dir")
    return open_detector("yunet", model_dir=model_dir, cache_dir=cache_dir)


@pytest.mark.parametrize(
    ("name", "middle", "height"), [("astronaut", (225, 118), 117), ("hopper", (266, 231), 207)]
)
def test_the_face_of_a_portrait_is_found(
    each: Detector,
    name: str,
    middle: tuple[int, int],
    height: int,
    request: pytest.FixtureRequest,
) -> None:
    (face,) = each.detect(request.getfixturevalue(name))

    assert face.score > 0.8
    assert face.height == pytest.approx(height, rel=0.1)
    assert _middle(face) == pytest.approx(middle, abs=0.1 * height)
    assert face.landmarks.shape == (5, 2)
    assert face.landmarks.dtype == np.float32


def test_the_five_points_stand_in_their_order(each: Detector, astronaut: Picture) -> None:
    (face,) = each.detect(astronaut)
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks

    assert right_eye[0] < nose[0] < left_eye[0]  # the subject's right is the picture's left
    assert right_mouth[0] < nose[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])


def test_the_points_of_both_detectors_are_close(
    astronaut: Picture, hopper: Picture, model_dir: Path, cache_dir: Path
) -> None:
    detectors = [open_detector(n, model_dir=model_dir, cache_dir=cache_dir) for n in NAMES]
    for picture in (astronaut, hopper):
        one, other = (detector.detect(picture)[0] for detector in detectors)
        apart = np.linalg.norm(one.landmarks - other.landmarks, axis=1)
        assert apart.max() < 0.08 * one.height


@pytest.mark.parametrize("name", ["astronaut", "hopper"])
def test_yunet_gives_what_opencv_gives(
    name: str, model_dir: Path, cache_dir: Path, request: pytest.FixtureRequest
) -> None:
    # Given a picture whose sides are no multiples of 32, with two faces
    picture = request.getfixturevalue(name)[:, :500]
    picture = np.hstack([picture, picture[:, 100:]])
    opencv = cv2.FaceDetectorYN.create(str(model_dir / YUNET.name), "", (0, 0), 0.3, 0.3)
    opencv.setInputSize(picture.shape[1::-1])
    _, rows = opencv.detect(np.ascontiguousarray(picture[..., ::-1]))

    found = open_detector(
        "yunet", model_dir=model_dir, cache_dir=cache_dir, width=2000, score=0.3
    ).detect(picture)

    assert len(found) == len(rows) >= 2
    for face, row in zip(found, sorted(rows, key=lambda row: -row[14]), strict=True):
        assert np.allclose(face.box, row[:4], atol=0.01)
        assert np.allclose(face.landmarks.ravel(), row[4:14], atol=0.01)
        assert face.score == pytest.approx(float(row[14]), abs=1e-4)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("precision", ["bf16", "auto"])
def test_less_precise_arithmetic_finds_the_same_face(
    name: DetectorName, precision: Precision, astronaut: Picture, model_dir: Path, cache_dir: Path
) -> None:
    models = {"model_dir": model_dir, "cache_dir": cache_dir}
    (exact,) = open_detector(name, **models).detect(astronaut)
    (found,) = open_detector(name, precision=precision, **models).detect(astronaut)
    apart = np.linalg.norm(found.landmarks - exact.landmarks, axis=1)
    assert apart.max() < 0.02 * exact.height
    assert found.score == pytest.approx(exact.score, abs=0.02)


def test_a_large_photo_is_answered_in_its_own_pixels(each: Detector, astronaut: Picture) -> None:
    # Given a photo three times as wide as what the detector sees
    large = np.asarray(cv2.resize(astronaut, None, fx=4, fy=4), np.uint8)

    (face,) = each.detect(large)

    # I expect the face of the small one, four times as large
    (small,) = each.detect(astronaut)
    apart = np.linalg.norm(face.landmarks / 4 - small.landmarks, axis=1)
    assert apart.max() < 0.08 * small.height
    assert face.height == pytest.approx(4 * small.height, rel=0.1)


def test_a_small_face_is_found(each: Detector, astronaut: Picture) -> None:
    small = np.asarray(cv2.resize(astronaut, (160, 160), interpolation=cv2.INTER_AREA), np.uint8)
    (face,) = each.detect(small)
    assert face.height == pytest.approx(35, abs=5)


def test_several_faces_come_best_first(each: Detector, astronaut: Picture, hopper: Picture) -> None:
    both = np.hstack([astronaut, hopper[:512]])
    faces = each.detect(both)
    assert len(faces) == 2
    assert faces[0].score >= faces[1].score


def _pictures_without_faces() -> dict[str, Picture]:
    random = np.random.default_rng(1)
    slope = np.linspace(0, 255, 640, dtype=np.uint8)
    return {
        "noise": random.integers(0, 256, (480, 640, 3), dtype=np.uint8),
        "a slope": np.ascontiguousarray(np.broadcast_to(slope[None, :, None], (480, 640, 3))),
        "black": np.zeros((480, 640, 3), np.uint8),
        "one pixel": np.full((1, 1, 3), 128, np.uint8),
        "very wide": np.full((10, 40_000, 3), 128, np.uint8),
        "very high": np.full((40_000, 10, 3), 128, np.uint8),
    }


@pytest.mark.parametrize("name", _pictures_without_faces())
def test_no_face_is_found_where_none_is(each: Detector, name: str) -> None:
    assert each.detect(_pictures_without_faces()[name]) == []


def test_a_picture_is_answered_alike_after_others(each: Detector, astronaut: Picture) -> None:
    (before,) = each.detect(astronaut)
    each.detect(np.zeros((100, 300, 3), np.uint8))
    (after,) = each.detect(astronaut)
    assert np.array_equal(before.landmarks, after.landmarks)
    assert before.box == after.box


def test_a_picture_is_not_changed(each: Detector, astronaut: Picture) -> None:
    before = astronaut.copy()
    each.detect(astronaut)
    assert np.array_equal(astronaut, before)


def test_a_score_nobody_reaches_leaves_no_face(cache_dir: Path, astronaut: Picture) -> None:
    strict = open_detector("centerface", model_dir=None, cache_dir=cache_dir, score=0.99)
    assert strict.detect(astronaut) == []


def test_a_missing_detector_is_named_with_its_source(tmp_path: Path) -> None:
    with pytest.raises(BadModelFile, match=r"face_detection_yunet_2023mar.onnx .*opencv_zoo"):
        open_detector("yunet", model_dir=None, cache_dir=tmp_path)


def _middle(face: Face) -> tuple[float, float]:
    x, y, width, height = face.box
    return x + width / 2, y + height / 2
