"""Quality falls with what makes a face hard to recognise."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from ingest.faces.align import TEMPLATE, align
from ingest.faces.face import Detector, Face, Picture
from ingest.faces.quality import lighting, pitch_of, quality_of, yaw_of


@pytest.fixture(scope="module")
def face(detector: Detector, astronaut: Picture) -> Face:
    return detector.detect(astronaut)[0]


@pytest.fixture(scope="module")
def chip(face: Face, astronaut: Picture) -> Picture:
    found = align(astronaut, face.landmarks)
    assert found is not None
    return found


def test_a_clear_portrait_is_good(face: Face, chip: Picture) -> None:
    quality = quality_of(face, chip)
    assert quality.height == face.height
    assert 0.5 < quality.score <= 1.0


def test_a_blurred_face_is_less_sharp_and_scores_less(face: Face, chip: Picture) -> None:
    blurred = np.asarray(cv2.GaussianBlur(chip, (0, 0), 3), np.uint8)
    clear, soft = quality_of(face, chip), quality_of(face, blurred)
    assert soft.sharpness < 0.1 * clear.sharpness
    assert soft.score < clear.score


def test_a_smaller_face_scores_less(face: Face, chip: Picture) -> None:
    x, y, width, height = face.box
    small = dataclasses.replace(face, box=(x, y, width / 4, height / 4))
    assert quality_of(small, chip).score < 0.5 * quality_of(face, chip).score


def test_symmetrical_points_have_no_yaw() -> None:
    points = np.array([[10, 10], [30, 10], [20, 20], [12, 30], [28, 30]], np.float32)
    assert yaw_of(points) == 0.0


def test_yaw_grows_as_the_nose_leaves_the_middle_and_stops_at_1() -> None:
    found = []
    for aside in (0, 5, 10, 40):
        points = TEMPLATE.copy()
        points[2, 0] += aside
        found.append(yaw_of(points))
    assert found == sorted(found)
    assert found[0] < 0.02
    assert found[-1] == 1.0


def test_yaw_is_the_same_to_both_sides_and_however_the_head_is_tilted() -> None:
    points = np.array([[10, 10], [30, 10], [25, 20], [12, 30], [28, 30]], np.float32)
    mirrored = points * (-1, 1)
    mirrored[[0, 1]] = mirrored[[1, 0]]
    turned = points @ np.array([[0.8, 0.6], [-0.6, 0.8]])
    assert yaw_of(points) == pytest.approx(0.5)
    assert yaw_of(mirrored.astype(np.float32)) == pytest.approx(0.5)
    assert yaw_of(turned.astype(np.float32)) == pytest.approx(0.5)


def test_pitch_grows_as_the_nose_nears_eyes_or_mouth_and_stops_at_1() -> None:
    for direction in (-1, 1):
        found = []
        for down in (0, 5, 10, 40):
            points = TEMPLATE.copy()
            points[2, 1] = 74.4 + direction * down
            found.append(pitch_of(points))
        assert found == sorted(found)
        assert found[0] < 0.01
        assert found[-1] == 1.0


def test_pitch_is_the_same_however_the_head_is_tilted_and_however_large() -> None:
    points = np.array([[10, 10], [30, 10], [20, 25.2], [12, 30], [28, 30]], np.float32)
    turned = 3 * points @ np.array([[0.8, 0.6], [-0.6, 0.8]])
    assert pitch_of(points) == pytest.approx(0.5)
    assert pitch_of(turned.astype(np.float32)) == pytest.approx(0.5)


def test_points_in_one_place_look_straight_up() -> None:
    assert pitch_of(np.zeros((5, 2), np.float32)) == 1.0


def test_a_face_that_looks_down_scores_less(face: Face, chip: Picture) -> None:
    points = face.landmarks.copy()
    points[2] = points[3:].mean(0)
    down = dataclasses.replace(face, landmarks=points)
    assert quality_of(down, chip).pitch == 1.0
    assert quality_of(down, chip).score < 0.7 * quality_of(face, chip).score


def test_lighting_falls_towards_black_and_white() -> None:
    found = [lighting(value) for value in (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)]
    assert found == pytest.approx([0.0, 0.4, 1.0, 1.0, 1.0, 0.5, 0.0])


@pytest.mark.parametrize("shade", [0.1, 3.0])
def test_a_dark_and_a_washed_out_face_score_less(shade: float, face: Face, chip: Picture) -> None:
    shaded = np.clip(chip * shade, 0, 255).astype(np.uint8)
    quality, clear = quality_of(face, shaded), quality_of(face, chip)
    assert abs(quality.brightness - 0.5) > abs(clear.brightness - 0.5)
    assert lighting(quality.brightness) < lighting(clear.brightness) == 1.0
    assert quality.score < clear.score


def test_eyes_in_one_point_are_a_profile() -> None:
    assert yaw_of(np.zeros((5, 2), np.float32)) == 1.0


def test_a_black_chip_scores_within_its_range(face: Face) -> None:
    quality = quality_of(face, np.zeros((112, 112, 3), np.uint8))
    assert quality.sharpness == 0.0
    assert 0.0 <= quality.score <= 0.5
