"""A tracked face becomes the chip that facetrail/wire.py describes."""

from __future__ import annotations

import uuid

import cv2
import numpy as np
import pytest

from facetrail.wire import FaceChip, Message
from ingest.camera import Frame
from ingest.faces.align import TEMPLATE
from ingest.faces.face import Face, Picture
from ingest.looking.chips import CONTEXT_WIDTH, ChipMaker, surroundings
from ingest.looking.choice import FIRST
from tests.ingest.clips import video_frame

ZONES = {
    "left": [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)],
    "door": [(0.2, 0.2), (0.8, 0.2), (0.8, 0.9), (0.2, 0.9)],
}


def face(x: float = 165, y: float = 50, width: float = 120, height: float = 130) -> Face:
    """A face whose five points lie in its box as ArcFace has them in its chip."""
    landmarks = TEMPLATE / 112 * (width, height) + (x, y)
    return Face((x, y, width, height), landmarks.astype(np.float32), 0.9)


def frame(picture: Picture, seconds: float = 1.0) -> Frame:
    return Frame(video_frame(picture), 1_700_000_000_000_000_000, seconds, 5_000, False)


def made(picture: Picture, found: Face, zones: object = ZONES) -> FaceChip:
    chip = ChipMaker("lobby", zones).chip(3, found, picture, frame(picture))  # type: ignore[arg-type]
    assert chip is not None
    return chip


def decoded(jpeg: bytes) -> Picture:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture[..., ::-1], np.uint8)


def test_a_chip_says_where_and_when_the_face_was(astronaut: Picture) -> None:
    chip = made(astronaut, face())
    assert (chip.camera, chip.track, chip.number, chip.stream_epoch) == ("lobby", 3, 1, 5_000)
    assert chip.captured_at == 1_700_000_000_000_000_000
    assert chip.box == (165, 50, 120, 130)
    assert chip.frame_size == (512, 512)
    assert chip.detection_score == 0.9
    assert chip.quality.height == 130 and 0 < chip.quality.score <= 1
    assert Message.parse(bytes(Message(items=(chip,)))).items == (chip,)


def test_a_chip_is_a_jpeg_of_112_by_112_in_red_green_blue(astronaut: Picture) -> None:
    picture = decoded(made(astronaut, face()).jpeg)
    assert picture.shape == (112, 112, 3)
    red, _, blue = picture[60:100, 40:70].reshape(-1, 3).mean(0)
    assert red > blue + 20  # skin


def test_ids_are_uuid7_and_grow(astronaut: Picture) -> None:
    ids = [uuid.UUID(made(astronaut, face()).chip_id) for _ in range(50)]
    assert {found.version for found in ids} == {7}
    assert len(set(ids)) == 50
    assert ids == sorted(ids)


@pytest.mark.parametrize(
    ("x", "y", "zones"),
    [
        (165, 50, ("left", "door")),
        (300, 50, ("door",)),
        (10, 50, ("left",)),
        (430, 400, ()),
        (10_000, 50, ()),
    ],
)
def test_zones_are_those_where_the_lower_edge_of_the_face_is(
    x: int, y: int, zones: tuple[str, ...], astronaut: Picture
) -> None:
    assert made(astronaut, face(x, y)).zones == zones


@pytest.mark.parametrize(
    "box",
    [
        (165, 50, 120, 130),
        (0, 0, 512, 512),
        (-40, -60, 120, 130),
        (480, 490, 120, 130),
        (-5000, -5000, 120, 130),
        (5000, 5000, 120, 130),
        (100, -900, 40, 2000),
        (511.9, 511.9, 0.1, 0.1),
    ],
)
def test_the_context_is_small_wherever_the_face_is(
    box: tuple[float, float, float, float], astronaut: Picture
) -> None:
    for picture in (astronaut, cv2.resize(astronaut, (1920, 1080))):
        context = surroundings(np.asarray(picture), face(*box))
        assert 1 <= context.shape[1] <= CONTEXT_WIDTH
        assert context.shape[0] >= 1


def test_the_context_shows_more_than_the_face(astronaut: Picture) -> None:
    context = surroundings(astronaut, face(200, 100, 50, 50))
    assert context.shape == (125, 125, 3)
    assert np.array_equal(context, astronaut[62:187, 162:287])


def test_a_high_and_narrow_context_is_not_too_heavy() -> None:
    random = np.random.default_rng(0)
    high = random.integers(0, 256, (4000, 300, 3)).astype(np.uint8)
    chip = made(high, face(0, 0, 300, 4000), zones={})
    assert len(chip.context) < 1_000_000
    assert Message.parse(bytes(Message(items=(chip,))))


def test_numbers_are_consecutive_and_the_end_says_how_many(astronaut: Picture) -> None:
    # Given a maker to which two tracks show more faces than it takes
    maker, numbers = ChipMaker("lobby", {}), {1: [], 2: []}  # type: ignore[var-annotated]
    for i in range(40):
        for track in (1, 2) if i < 5 else (1,):
            shown = frame(astronaut, i / 5)
            chip = maker.chip(track, face(height=100 + i), astronaut, shown)
            numbers[track] += [chip.number] if chip else []

    # I expect each numbered by itself, and the ends to agree
    assert numbers[2] == [1, 2, 3, 4, 5]
    assert numbers[1] == list(range(1, len(numbers[1]) + 1))
    assert FIRST < len(numbers[1]) < 40
    for track, sent in numbers.items():
        end = maker.ended(track, stream_epoch=5_000, at=9)
        assert (end.track, end.chips_sent, end.ended_at) == (track, len(sent), 9)
    assert maker.ended(1, stream_epoch=5_000, at=9).chips_sent == 0


def test_five_points_in_one_place_make_no_chip(astronaut: Picture) -> None:
    collapsed = Face((10, 10, 40, 40), np.full((5, 2), 20, np.float32), 0.9)
    maker = ChipMaker("lobby", {})
    assert maker.chip(1, collapsed, astronaut, frame(astronaut)) is None
    assert maker.ended(1, stream_epoch=5_000, at=9).chips_sent == 0


def test_a_face_is_wanted_wherever_its_chip_would_be_taken(astronaut: Picture) -> None:
    # Given faces that are turned, small and dark, in a track whose first chips have gone
    random = np.random.default_rng(0)
    maker, wanted = ChipMaker("lobby", {}), []
    for number in range(300):
        width = random.uniform(30, 150)
        own = face(165, 50, width, width * 1.1)
        own.landmarks[2, 0] += random.normal(0, width / 10)
        picture = (astronaut * random.uniform(0.05, 1)).astype(np.uint8)
        shown = frame(picture, number / 5)

        # I expect none to be taken that was said not to be wanted
        may = maker.may_want(3, own, shown.seconds)
        taken = maker.chip(3, own, picture, shown) is not None
        assert may or not taken
        wanted.append(may)
    assert 12 < sum(wanted) < 200


def test_a_face_that_can_not_be_good_enough_is_not_wanted() -> None:
    assert not ChipMaker("lobby", {}, min_quality=0.5).may_want(1, face(width=40, height=44), 0.0)
