"""A cut is found where the scene changes, and only there."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from ingest.faces.face import Picture
from ingest.reading.cut import CutFinder
from tests.ingest.clips import moving, video_frame


def cuts(pictures: list[Picture], pixels: str = "yuv420p") -> list[int]:
    finder = CutFinder()
    frames = [video_frame(picture).reformat(format=pixels) for picture in pictures]
    return [number for number, frame in enumerate(frames) if finder.is_cut(frame)]


def test_something_that_moves_is_no_cut() -> None:
    assert cuts(list(moving(30))) == []


def test_someone_who_passes_before_the_camera_is_no_cut(
    astronaut: Picture, hopper: Picture
) -> None:
    scene = cv2.resize(hopper, (640, 360))
    pictures = []
    for x in range(0, 480, 20):
        picture = scene.copy()
        picture[60:360, x : x + 160] = cv2.resize(astronaut, (160, 300))
        pictures.append(picture)
    assert cuts(pictures) == []


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv420p10le", "gray", "nv12", "yuyv422", "rgb24"])
def test_another_scene_is_one_cut(pixels: str, astronaut: Picture, hopper: Picture) -> None:
    pan = [np.roll(astronaut, 3 * i, axis=1) for i in range(4)]
    other = [cv2.resize(hopper, (512, 512))] * 3
    assert cuts([*pan, *other], pixels) == [4]


def test_another_resolution_is_a_cut(astronaut: Picture) -> None:
    assert cuts([astronaut, astronaut, cv2.resize(astronaut, (640, 360))]) == [2]
    assert cuts([astronaut, astronaut.repeat(2, 0).repeat(2, 1)]) == [1]


def test_noise_in_the_dark_is_no_cut() -> None:
    random = np.random.default_rng(0)
    noise = [
        np.clip(random.normal(12, 7, (240, 320, 3)), 0, 255).astype(np.uint8) for _ in range(9)
    ]
    assert cuts(noise) == []


def test_a_light_switched_on_is_no_cut(astronaut: Picture) -> None:
    dark = (astronaut * 0.4).astype(np.uint8)
    assert cuts([dark, dark, astronaut, astronaut]) == []


def test_a_picture_of_one_grey_is_no_cut_from_itself() -> None:
    grey = np.full((240, 320, 3), 100, np.uint8)
    assert cuts([grey, grey]) == []


def test_a_picture_smaller_than_the_points_is_looked_at() -> None:
    random = np.random.default_rng(0)
    small = [random.integers(0, 256, (16, 16, 3)).astype(np.uint8) for _ in range(2)]
    assert cuts(small) == [1]


@pytest.mark.parametrize(
    ("clip", "expected"),
    [
        ("short_hamilton_clip.mp4", [20, 82, 211]),
        ("five_faces_1080p.mp4", []),
        ("five_faces_720p.mp4", []),
        ("one_by_one_432p.mp4", []),
    ],
)
def test_the_cuts_of_a_real_clip_are_found(clip: str, expected: list[int], test_data: Path) -> None:
    finder = CutFinder()
    with av.open(test_data / "videos" / clip) as file:
        file.streams.video[0].thread_type = "AUTO"
        found = [i for i, frame in enumerate(file.decode(video=0)) if finder.is_cut(frame)]
    assert found == expected
