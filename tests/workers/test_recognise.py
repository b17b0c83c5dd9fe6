"""Candidates become judgements, bytes become pictures: no Celery and no Redis."""

from __future__ import annotations

import struct
import subprocess
import sys

import cv2
import numpy as np
import pytest

from facetrail.errors import BadPicture
from facetrail.wire import Chips, FaceChip, Quality
from index.face_index import Candidate, FaceIndex
from tests.workers.conftest import chip, jpeg
from workers.recognise import MISS, Judgement, judge, read_picture, recognise

ADA, BEN = Candidate("ada", 0.3), Candidate("ben", 0.5)


def picture_of(made: FaceChip) -> Chips:
    picture = np.zeros((112, 112, 3), np.uint8)
    read_picture(made, picture)
    return picture


def judged(*candidates: Candidate, quality: float = 1.0) -> Judgement:
    return judge(candidates, quality, threshold=0.4, margin=0.1)


def test_the_nearest_is_named_if_near_and_well_ahead() -> None:
    found = judged(ADA, BEN)
    assert (found.person, found.nearest, found.runner_up) == ("ada", ADA, BEN)
    assert found.margin == pytest.approx(0.2)


def test_one_person_alone_needs_no_lead() -> None:
    found = judged(ADA)
    assert (found.person, found.runner_up, found.margin) == ("ada", None, None)


def test_an_empty_gallery_names_nobody() -> None:
    assert judged() == Judgement(None, None, None, None, MISS)


@pytest.mark.parametrize(("distance", "named"), [(0.4, "ada"), (np.nextafter(0.4, 1), None)])
def test_the_threshold_itself_is_near_enough(distance: float, named: str | None) -> None:
    assert judged(Candidate("ada", distance), Candidate("ben", 0.9)).person == named


@pytest.mark.parametrize(
    ("runner_up", "named"), [(0.3, None), (0.39, None), (0.41, "ada"), (0.7, "ada")]
)
def test_a_tie_names_nobody(runner_up: float, named: str | None) -> None:
    found = judged(ADA, Candidate("ben", runner_up))
    assert found.person == named
    assert found.nearest == ADA
    assert found.margin == pytest.approx(runner_up - 0.3)


def test_the_weight_is_quality_times_score() -> None:
    assert judged(Candidate("ada", 0.0)).weight == 1.0
    assert judged(Candidate("ada", 0.4)).weight == pytest.approx(0.5)
    assert judged(Candidate("ada", 0.2), quality=0.5).weight == pytest.approx(0.375)
    assert judged(Candidate("ada", 0.2), quality=0.0).weight == 0.0


def test_a_miss_weighs_no_more_than_the_weakest_match() -> None:
    assert judged(Candidate("ada", 0.9)).weight <= judged(Candidate("ada", 0.4)).weight


def test_each_chip_is_judged_by_its_own_encoding_and_quality() -> None:
    # Given an index of two people and four chips
    encodings = np.eye(128, dtype=np.float32)
    index = FaceIndex(["ada", "ben"], encodings[:2])
    made = [
        chip(i, quality=Quality(height=72, sharpness=1, yaw=0, score=i / 4)) for i in range(1, 5)
    ]
    found = recognise(made, encodings[[1, 0, 2, 1]], index, threshold=0.4, margin=0.1)

    assert [judgement.person for judgement in found] == ["ben", "ada", None, "ben"]
    assert [judgement.weight for judgement in found] == pytest.approx([0.25, 0.5, 0.375, 1.0])


def turned(angles: dict[str, float]) -> FaceIndex:
    """People whose one encoding is turned by that distance, about, from the first axis."""
    rows = np.zeros((len(angles), 128), np.float32)
    for row, (place, distance) in zip(rows, enumerate(angles.values()), strict=True):
        half = np.arcsin(distance / 2)
        row[0], row[place + 1] = np.cos(2 * half), np.sin(2 * half)
    return FaceIndex(list(angles), rows)


def seen_as(index: FaceIndex, *ruled_out: str) -> Judgement:
    """A face at the first axis, which can't be some people. Threshold 0.4, margin 0.1."""
    (found,) = recognise(
        [chip()],
        np.eye(1, 128, dtype=np.float32),
        index,
        threshold=0.4,
        margin=0.1,
        rules_out=lambda candidate, encoding, at: candidate.person in ruled_out,
    )
    return found


def test_who_it_cant_be_hides_nobody() -> None:
    index = turned({"ada": 0.1, "ben": 0.22, "cleo": 0.35})
    assert seen_as(index).person == "ada"
    found = seen_as(index, "ada")
    assert found.person == "ben"
    assert found.runner_up is not None and found.runner_up.person == "cleo"
    assert found.margin == pytest.approx(0.13, abs=1e-4)
    assert found.weight == pytest.approx(0.5 * 0.725, abs=1e-3)


def test_who_it_cant_be_makes_no_tie() -> None:
    index = turned({"ada": 0.1, "ben": 0.15, "cleo": 0.35})
    assert seen_as(index).person is None
    assert seen_as(index, "ben").person == "ada"
    assert seen_as(index, "ben").margin == pytest.approx(0.25, abs=1e-4)
    assert seen_as(turned({"ada": 0.1, "ben": 0.15}), "ben").person == "ada"


def test_a_tie_of_those_it_may_be_is_one_still() -> None:
    index = turned({"ada": 0.1, "ben": 0.2, "cleo": 0.25})
    assert seen_as(index, "ada").person is None
    assert seen_as(turned({"ada": 0.1, "ben": 0.45}), "ada").person is None


def test_nobody_is_named_where_it_can_be_nobody() -> None:
    assert seen_as(turned({"ada": 0.1}), "ada") == Judgement(None, None, None, None, 0.25)


def test_one_it_may_be_is_found_behind_many_it_cant_be() -> None:
    lapsed = {f"lapsed {i}": 0.1 + i / 10_000 for i in range(100)}
    assert seen_as(turned({**lapsed, "ada": 0.3}), *lapsed).person == "ada"
    # whoever is too far away is not looked for
    found = seen_as(turned({**lapsed, "ada": 0.3}), *lapsed, "ada")
    assert (found.person, found.nearest) == (None, None)


def test_a_chip_is_read_as_rgb() -> None:
    red = np.zeros((112, 112, 3), np.uint8)
    red[..., 2] = 255  # OpenCV writes BGR
    picture = picture_of(chip(jpeg=cv2.imencode(".jpg", red)[1].tobytes()))
    assert picture.dtype == np.uint8
    assert picture.shape == (112, 112, 3)
    assert picture.flags.c_contiguous
    assert picture[50, 50].tolist() == pytest.approx([255, 0, 0], abs=3)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"a face", b"\xff\xd8\xff\xe0", bytes(9000), jpeg()[:300], jpeg()[:-2]],
    ids=["empty", "byte", "text", "start", "zeros", "header", "cut_short"],
)
def test_what_is_not_an_image_is_refused(data: bytes) -> None:
    with pytest.raises(BadPicture, match="chip chip-1 ") as caught:
        picture_of(chip(jpeg=data))
    assert caught.value.reason == "not_an_image"


@pytest.mark.parametrize("size", [(1, 1), (111, 112), (112, 113), (224, 224)])
def test_a_picture_of_another_size_is_refused(size: tuple[int, int]) -> None:
    width, height = size
    with pytest.raises(BadPicture, match=f"got {width}x{height}") as caught:
        picture_of(chip(jpeg=jpeg(width, height)))
    assert caught.value.reason == "wrong_size"


@pytest.mark.parametrize("kind", [".png", ".bmp", ".webp", ".tiff"])
def test_another_format_is_refused_since_snapshots_are_served_as_jpeg(kind: str) -> None:
    with pytest.raises(BadPicture, match="is not a JPEG"):
        picture_of(chip(jpeg=jpeg(kind=kind)))


BOMB = """
import resource, sys, time
import numpy as np
from facetrail.errors import BadPicture
from tests.workers.conftest import chip
from workers.recognise import read_picture
made = chip(jpeg=sys.stdin.buffer.read())
before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
try:
    read_picture(made, np.empty((112, 112, 3), np.uint8))
except BadPicture as error:
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(error.reason, after - before < 20_000, time.monotonic() - began < 0.5)
"""


def test_a_small_file_that_claims_to_be_vast_is_refused_without_being_unpacked() -> None:
    # Given a JPEG whose header says 20 000 x 20 000, which would be 1.2 GB
    data = bytearray(jpeg())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 20_000, 20_000)

    # If a process looks at it
    done = subprocess.run(
        [sys.executable, "-c", BOMB], input=bytes(data), capture_output=True, check=True
    )

    # I expect a refusal at once, for less than 20 MB
    assert done.stdout.split() == [b"wrong_size", b"True", b"True"]
