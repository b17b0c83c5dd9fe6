"""A second detector is asked of new tracks, and only until it agrees."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ingest.faces.face import Detector, Face, Picture
from ingest.looking.second_opinion import AGAIN_S, SIDE, SecondOpinion


class Counting:
    """A detector that counts how often it is asked, and of how large a picture."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.asked: list[tuple[int, ...]] = []

    def detect(self, picture: Picture) -> list[Face]:
        self.asked.append(picture.shape)
        return self.detector.detect(picture)


@pytest.fixture
def counting(detector: Detector) -> Counting:
    return Counting(detector)


@pytest.fixture
def face(detector: Detector, astronaut: Picture) -> Face:
    return detector.detect(astronaut)[0]


def beside(face: Face, x: float, y: float) -> Face:
    """A face of that size where none is."""
    return dataclasses.replace(face, box=(x, y, *face.box[2:]))


def test_a_face_is_asked_of_once(counting: Counting, face: Face, astronaut: Picture) -> None:
    opinion = SecondOpinion(counting)
    assert all(opinion.agrees(1, face, astronaut, i / 5) for i in range(10))
    assert counting.asked == [(SIDE, SIDE, 3)]


def test_what_is_no_face_is_asked_of_now_and_then(
    counting: Counting, face: Face, astronaut: Picture
) -> None:
    opinion = SecondOpinion(counting)
    hand = beside(face, 300, 350)
    assert not any(opinion.agrees(1, hand, astronaut, i / 10) for i in range(21))
    assert len(counting.asked) == 2 / AGAIN_S + 1
    # once it is one, it stays one
    assert opinion.agrees(1, face, astronaut, 2.5)
    assert opinion.agrees(1, hand, astronaut, 2.6)


def test_each_track_is_judged_by_itself_and_forgotten(
    counting: Counting, face: Face, astronaut: Picture
) -> None:
    opinion = SecondOpinion(counting)
    hand = beside(face, 300, 350)
    assert opinion.agrees(1, face, astronaut, 0.0)
    assert not opinion.agrees(2, hand, astronaut, 0.0)
    opinion.forget([1, 2, 3])
    assert not opinion.agrees(1, hand, astronaut, 0.1)
    assert opinion.agrees(2, face, astronaut, 0.1)


@pytest.mark.parametrize("place", [(-60.0, -60.0), (600.0, 600.0), (-500.0, 100.0), (480.0, 10.0)])
def test_a_face_may_reach_out_of_the_picture(
    place: tuple[float, float], detector: Detector, face: Face, astronaut: Picture
) -> None:
    assert not SecondOpinion(detector).agrees(1, beside(face, *place), astronaut, 0.0)


def test_a_small_face_in_a_large_picture_is_seen(detector: Detector, astronaut: Picture) -> None:
    large = np.full((1080, 1920, 3), 110, np.uint8)
    large[500:756, 900:1156] = astronaut[::2, ::2]
    (found,) = (one for one in detector.detect(large[400:856, 800:1256]))
    x, y, width, height = found.box
    own = dataclasses.replace(found, box=(x + 800, y + 400, width, height))
    assert SecondOpinion(detector).agrees(1, own, large, 0.0)
