"""Faces are found in the whole frame, in tiles of it, and not under masks."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from ingest.faces.detect import open_detector
from ingest.faces.face import Detector, Face, Picture
from ingest.looking.finder import Finder, merged, tiles
from ingest.looking.sight import Sight
from tests.ingest.clips import video_frame

LEFT = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]


@pytest.fixture(scope="module")
def narrow(cache_dir: Path) -> Detector:
    """Sees 480 pixels."""
    return open_detector("centerface", model_dir=None, cache_dir=cache_dir, width=480)


def scene(astronaut: Picture, *places: tuple[int, int], head: int = 120) -> Picture:
    """The astronaut's head, so many pixels wide, at places of a 4K picture."""
    picture = np.full((2160, 3840, 3), 110, np.uint8)
    small = cv2.resize(astronaut[20:220, 125:325], (head, head), interpolation=cv2.INTER_AREA)
    for x, y in places:
        picture[y : y + head, x : x + head] = small
    return picture


def face(x: float, y: float, side: float = 50, score: float = 0.9) -> Face:
    return Face((x, y, side, side), np.zeros((5, 2), np.float32), score)


def middles(faces: list[Face]) -> list[tuple[float, float]]:
    return sorted((x + width / 2, y + height / 2) for x, y, width, height in (f.box for f in faces))


def test_faces_are_in_pixels_of_the_frame(detector: Detector, astronaut: Picture) -> None:
    large = np.asarray(cv2.resize(astronaut, (1536, 1536)), np.uint8)
    (found,) = Finder(detector, width=512).faces(Sight(video_frame(large)))
    (same,) = detector.detect(large)
    apart = np.linalg.norm(found.landmarks - same.landmarks, axis=1)
    assert apart.max() < 0.05 * same.height
    assert found.box == pytest.approx(same.box, abs=0.1 * same.height)


def test_far_faces_of_a_large_picture_are_found_in_tiles(
    narrow: Detector, astronaut: Picture
) -> None:
    # Given small heads in 4K: alone, on the seam of tiles, and in a corner
    places = [(500, 400), (1880, 1035), (3700, 2030)]
    sight = Sight(video_frame(scene(astronaut, *places)))

    # I expect none in the whole, and each once with tiles, where it is
    assert Finder(narrow, width=480).faces(sight) == []
    found = middles(Finder(narrow, width=480, tiles=3).faces(sight))
    assert len(found) == 3
    for (x, y), (left, top) in zip(found, places, strict=True):
        assert (x - left, y - top) == pytest.approx((60, 58), abs=20)


def test_a_face_larger_than_what_tiles_share_is_found_once(
    narrow: Detector, astronaut: Picture
) -> None:
    sight = Sight(video_frame(scene(astronaut, (1320, 480), head=1200)))
    assert len(Finder(narrow, width=480, tiles=2).faces(sight)) == 1


def test_a_face_under_a_mask_is_not_there(detector: Detector, astronaut: Picture) -> None:
    both = np.hstack([astronaut, astronaut])
    sight = Sight(video_frame(both))
    assert len(Finder(detector, width=640).faces(sight)) == 2
    ((x, _),) = middles(Finder(detector, width=640, masks=[LEFT]).faces(sight))
    assert x > 512


@pytest.mark.parametrize("size", [(3840, 2160), (1920, 1080), (641, 359)])
@pytest.mark.parametrize("count", [2, 3])
def test_tiles_cover_the_picture_and_share_their_seams(size: tuple[int, int], count: int) -> None:
    made = tiles(*size, count)
    covered = np.zeros(size[::-1], int)
    for tile in made:
        covered[tile.top : tile.bottom, tile.left : tile.right] += 1
    assert len(made) == count**2
    assert covered.min() == 1 and covered.max() == 4
    assert made[0].right - made[1].left >= 0.19 * (made[0].right - made[0].left)


def test_the_better_of_two_that_are_one_face_stays() -> None:
    one, worse, within = face(0, 0), face(5, 5, score=0.8), face(10, 20, side=20, score=0.7)
    assert merged([worse, within, one]) == [one]


def test_faces_side_by_side_both_stay() -> None:
    assert len(merged([face(0, 0), face(40, 0), face(0, 60)])) == 3
