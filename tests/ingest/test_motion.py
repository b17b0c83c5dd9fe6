"""A still picture is looked at now and then, one that changes at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import av
import numpy as np
import pytest

from ingest.faces.face import Picture
from ingest.motion import LINGER_S, REST_S, MotionGate, brightness
from tests.ingest.clips import moving, video_frame

FPS = 5.0
LEFT = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]


def looks(pictures: Iterable[Picture], gate: MotionGate | None = None) -> list[int]:
    """The numbers of those that are looked at, at 5 frames a second."""
    gate = gate or MotionGate(8.0, [])
    frames = (video_frame(picture).reformat(format="yuv420p") for picture in pictures)
    return [number for number, frame in enumerate(frames) if gate.wants(frame, number / FPS)]


def still(picture: Picture, seconds: float) -> list[Picture]:
    return [picture] * round(seconds * FPS)


def grey(shade: float = 100.0) -> Picture:
    return np.full((360, 640, 3), shade, np.uint8)


def with_square(left: int, shade: int = 160, side: int = 40) -> Picture:
    picture = grey()
    picture[100 : 100 + side, left : left + side] = shade
    return picture


def test_a_still_picture_is_looked_at_for_a_while_and_then_rarely(astronaut: Picture) -> None:
    found = looks(still(astronaut, 60))
    begin = round(LINGER_S * FPS)
    assert found[:begin] == list(range(begin))
    late = found[begin:]
    assert len(late) == (60 - LINGER_S) // REST_S
    assert all(b - a >= REST_S * FPS for a, b in zip(late, late[1:], strict=False))


def test_what_moves_is_looked_at_in_every_frame() -> None:
    assert looks(moving(100)) == list(range(100))


def test_someone_who_comes_is_seen_at_once_and_until_they_rest() -> None:
    # Given ten seconds of an empty scene, into which somebody steps who then stands
    pictures = still(grey(), 10) + still(with_square(300), 2 * REST_S)
    found = [number for number in looks(pictures) if number >= 50]

    # I expect the very frame to be looked at, and those after it for a while
    linger = round(LINGER_S * FPS)
    assert found[: linger + 1] == [*range(50, 50 + linger), 50 + linger - 1 + round(REST_S * FPS)]


def test_someone_who_leaves_is_noticed_at_once() -> None:
    pictures = still(with_square(300), 10) + still(grey(), 1)
    assert 50 in looks(pictures)


def test_a_slow_change_adds_up() -> None:
    # Given a scene that grows brighter by a level a frame
    pictures = still(grey(), 10) + [grey(100 + i) for i in range(13)]

    # I expect it to be noticed once it is more than the threshold, and not before
    first = next(number for number in looks(pictures) if number > 50)
    assert 58 < first < 63


def test_noise_is_no_movement() -> None:
    random = np.random.default_rng(0)
    noise = [
        np.clip(random.normal(100, 6, (360, 640, 1)), 0, 255).astype(np.uint8).repeat(3, 2)
        for _ in range(100)
    ]
    assert len(looks(noise)) <= LINGER_S * FPS + 4


def test_the_threshold_decides() -> None:
    pictures = still(grey(), 4) + [with_square(300, shade=110)]
    assert len(pictures) - 1 in looks(pictures, MotionGate(5.0, []))
    assert len(pictures) - 1 not in looks(pictures, MotionGate(15.0, []))


def test_movement_under_a_mask_does_not_count() -> None:
    masked = [with_square(20 + 5 * i) for i in range(50)]
    open_ = [with_square(400 + 4 * i) for i in range(50)]
    assert len(looks(masked, MotionGate(8.0, [LEFT]))) < 25
    assert len(looks(open_, MotionGate(8.0, [LEFT]))) == 50


@pytest.mark.parametrize(
    "pixels", ["yuv420p", "yuvj422p", "yuv420p10le", "gray", "nv12", "yuyv422", "rgb24", "gbrp"]
)
def test_brightness_is_where_it_is_in_every_format(pixels: str) -> None:
    frame = video_frame(with_square(320, shade=220, side=160)).reformat(format=pixels)
    cells = brightness(frame)
    assert cells.shape == (36, 64)
    assert cells[14:24, 34:46].min() > cells[:, :30].max() + 80


@pytest.mark.parametrize("size", [(16, 16), (1920, 1080), (200, 20), (641, 359)])
def test_every_size_is_looked_at(size: tuple[int, int]) -> None:
    width, height = size
    gate = MotionGate(8.0, [])
    picture = np.full((height, width, 3), 100, np.uint8)
    frames = list(_frames([*[picture] * 20, picture + 50]))
    found = [number for number, frame in enumerate(frames) if gate.wants(frame, number / FPS)]
    assert found[-1] == 20


def _frames(pictures: Iterable[Picture]) -> Iterator[av.VideoFrame]:
    for picture in pictures:
        yield video_frame(picture)
