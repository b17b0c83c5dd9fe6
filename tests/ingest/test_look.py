"""What one camera's watch makes of frames: tracks and chips where there is something to see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import SecretStr

from facetrail.cameras import Camera
from facetrail.schedule import Hours
from facetrail.settings import Settings
from facetrail.wire import FaceChip, TrackEnded
from ingest.camera import Frame
from ingest.faces.centerface import CenterFace
from ingest.faces.face import Detector, Face, Picture
from ingest.look import Watch
from ingest.looking.choice import FIRST, QUIET_S
from ingest.looking.detectors import second_detector
from ingest.looking.second_opinion import SIDE
from ingest.motion import REST_S
from ingest.saying.outbox import Outbox
from tests.ingest.clips import passing, video_frame

FPS = 5.0
BEGIN = datetime(2026, 11, 23, 12, 0).timestamp()  # a Monday


class Counting:
    """A detector that counts how often it is asked."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.asked = 0

    def detect(self, picture: Picture) -> list[Face]:
        self.asked += 1
        return self.detector.detect(picture)


@pytest.fixture
def counting(detector: Detector) -> Counting:
    return Counting(detector)


class Blind:
    """A detector to which nothing is a face."""

    def detect(self, picture: Picture) -> list[Face]:
        return []


def camera(**keys: object) -> Camera:
    return Camera.model_validate({"name": "lobby", "url": SecretStr("rtsp://h")} | keys)


def frames(pictures: Iterable[Picture]) -> Iterator[Frame]:
    """Five a second."""
    for number, picture in enumerate(pictures):
        seconds = number / FPS
        at = round((BEGIN + seconds) * 1e9)
        yield Frame(video_frame(picture), at, seconds, 1, cut=False)


def seen(watch: Watch, shown: Iterable[Frame]) -> list[FaceChip | TrackEnded]:
    """What goes to the outbox, in order."""
    found: list[FaceChip | TrackEnded] = []
    for frame in shown:
        watch.look(frame)
        found += watch.outbox.take(0.0)
    return found


def watching(
    detector: Detector,
    *,
    second: Detector | None = None,
    now: Callable[[], datetime] = datetime.now,
    **keys: object,
) -> Watch:
    outbox = Outbox(10_000_000)
    return Watch(camera(**keys), detector, outbox, least_score=0.5, second=second, now=now)


def portrait(astronaut: Picture) -> Picture:
    return next(passing(1, astronaut))


def test_someone_who_stands_still_keeps_the_track_and_costs_little(
    counting: Counting, astronaut: Picture
) -> None:
    # Given somebody who stands before the camera for a minute, and then is gone
    watch = watching(counting)
    pictures = [portrait(astronaut)] * 300
    found = seen(watch, frames(pictures))

    # I expect one track, kept alive by a chip now and then, and few looks
    chips = [item for item in found if isinstance(item, FaceChip)]
    assert {chip.track for chip in chips} == {1}
    assert len(chips) == len(found) > FIRST
    gaps = [(b.captured_at - a.captured_at) / 1e9 for a, b in pairwise(chips)]
    assert max(gaps) < REST_S + QUIET_S
    assert counting.asked < 300 / FPS / REST_S + 20

    # and its end when they have left
    empty = np.full((360, 640, 3), 110, np.uint8)
    gone = seen(watch, islice(frames([*pictures, *[empty] * 20]), 300, None))
    assert [type(item) for item in gone] == [TrackEnded]


def test_without_the_gate_every_frame_is_looked_at(counting: Counting, astronaut: Picture) -> None:
    seen(watching(counting, motion=False), frames([portrait(astronaut)] * 40))
    assert counting.asked == 40


def test_an_empty_scene_is_hardly_looked_at(counting: Counting) -> None:
    empty = np.full((360, 640, 3), 110, np.uint8)
    assert seen(watching(counting), frames([empty] * 300)) == []
    assert counting.asked < 30


def test_someone_who_passes_is_looked_at_all_the_time(
    counting: Counting, astronaut: Picture
) -> None:
    found = seen(watching(counting), frames(passing(40, astronaut)))
    assert counting.asked == 40
    assert len(found) >= FIRST


@pytest.mark.parametrize(("after_s", "looked_at"), [(0, True), (8 * 3600, False)])
def test_outside_its_hours_a_camera_is_not_looked_at(
    after_s: float, looked_at: bool, counting: Counting, astronaut: Picture
) -> None:
    hours = Hours.model_validate({"days": "mon", "from": "08:00", "until": "18:00"})
    now = datetime.fromtimestamp(BEGIN + after_s)
    watch = watching(counting, now=lambda: now, schedule=[hours])
    found = seen(watch, frames(passing(20, astronaut)))
    assert bool(found) is looked_at
    assert (counting.asked > 0) is looked_at


def test_tracks_end_with_the_hours(counting: Counting, astronaut: Picture) -> None:
    # Given hours that end with the tenth frame
    noon = datetime.fromtimestamp(BEGIN)
    hours = Hours.model_validate({"until": f"{noon:%H:%M}"})
    times = iter([noon - timedelta(seconds=1)] * 10 + [noon] * 20)
    watch = watching(counting, now=lambda: next(times), schedule=[hours])

    found = seen(watch, frames(passing(30, astronaut)))

    # I expect chips until then, and the end at once
    assert isinstance(found[-1], TrackEnded)
    assert found[-1].ended_at == pytest.approx((BEGIN + 10 / FPS) * 1e9, abs=1e7)
    assert found[-1].chips_sent == len(found) - 1 > 0
    assert counting.asked == 10


def test_the_best_chip_of_a_frame_goes_first(
    counting: Counting, astronaut: Picture, hopper: Picture
) -> None:
    # Given a small face beside a large one
    pictures = []
    for shift in range(6):
        picture = np.full((720, 1280, 3), 110, np.uint8)
        picture[100:220, 50 + shift : 170 + shift] = cv2.resize(astronaut[:256, 96:352], (120, 120))
        picture[100:612, 600:1112] = cv2.resize(hopper[40:552], (512, 512))
        pictures.append(picture)

    found = seen(watching(counting), frames(pictures))

    # I expect the better before the other in every frame
    by_frame: dict[int, list[float]] = {}
    for chip in found:
        assert isinstance(chip, FaceChip)
        by_frame.setdefault(chip.captured_at, []).append(chip.quality.score)
    assert max(map(len, by_frame.values())) == 2
    assert all(scores == sorted(scores, reverse=True) for scores in by_frame.values())
    assert any(len(scores) == 2 and scores[0] > 1.2 * scores[1] for scores in by_frame.values())


def test_a_chip_below_the_quality_is_not_sent(counting: Counting, astronaut: Picture) -> None:
    every = seen(watching(counting), frames(passing(10, astronaut)))
    best = max(item.quality.score for item in every if isinstance(item, FaceChip))
    assert seen(watching(counting, min_quality=best + 0.01), frames(passing(10, astronaut))) == []
    assert seen(watching(counting, min_quality=best - 0.2), frames(passing(10, astronaut)))


def test_a_track_that_is_no_face_to_the_second_detector_sends_nothing(
    counting: Counting, detector: Detector, astronaut: Picture
) -> None:
    assert seen(watching(counting, second=Blind()), frames(passing(20, astronaut))) == []
    alone = seen(watching(counting), frames(passing(20, astronaut)))
    agreed = seen(watching(counting, second=detector), frames(passing(20, astronaut)))
    assert len(agreed) == len(alone) > 0


class Unsure:
    """A detector whose scores are all the same from some look on, and that sees a poster, too."""

    def __init__(self, detector: Detector, score: float, after: int) -> None:
        self.asked = 0
        self._detector = detector
        self._score = score
        self._after = after

    def detect(self, picture: Picture) -> list[Face]:
        self.asked += 1
        faces = self._detector.detect(picture)
        if self.asked <= self._after:
            return faces
        poster = Face((500.0, 20.0, 60.0, 60.0), np.zeros((5, 2), np.float32), self._score)
        return [*(replace(face, score=self._score) for face in faces), poster]


def test_a_face_seen_weakly_carries_its_track_on_and_makes_no_chip(
    detector: Detector, astronaut: Picture
) -> None:
    # Given somebody who walks by for eight seconds and is seen weakly from the fifth look on
    watch = watching(Unsure(detector, score=0.35, after=4))
    found = seen(watch, frames(passing(40, astronaut)))

    # I expect chips of the first looks alone, of one track, which has not ended
    assert tracks_of(found) == [1]
    assert 0 < len(found) <= 4
    assert [type(item) for item in found] == [FaceChip] * len(found)


def test_what_is_seen_weakly_all_the_time_is_not_looked_at_for_ever(
    detector: Detector, astronaut: Picture
) -> None:
    unsure = Unsure(detector, score=0.35, after=0)
    assert seen(watching(unsure), frames([portrait(astronaut)] * 300)) == []
    assert unsure.asked < 30


def test_only_yunet_needs_a_second_detector(model_dir: Path, cache_dir: Path) -> None:
    models = {"model_dir": model_dir, "cache_dir": cache_dir}
    yunet = second_detector(Settings(detector="yunet", **models), camera())
    assert isinstance(yunet, CenterFace) and yunet.width == SIDE
    assert second_detector(Settings(detector="centerface", **models), camera()) is None


def test_a_face_under_a_mask_is_not_tracked(counting: Counting, astronaut: Picture) -> None:
    whole = [[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]]
    left = [[(0.0, 0.0), (0.1, 0.0), (0.1, 1.0), (0.0, 1.0)]]
    assert seen(watching(counting, masks=whole), frames(passing(20, astronaut))) == []
    assert seen(watching(counting, masks=left), frames(passing(20, astronaut)))


class Blinking:
    """A detector that misses what it sees at some of the times it is asked."""

    def __init__(self, detector: Detector, misses: range) -> None:
        self.asked = 0
        self._detector = detector
        self._misses = misses

    def detect(self, picture: Picture) -> list[Face]:
        self.asked += 1
        return [] if self.asked - 1 in self._misses else self._detector.detect(picture)


def tracks_of(found: list[FaceChip | TrackEnded]) -> list[int]:
    return sorted({item.track for item in found})


def test_who_stands_still_and_is_missed_once_keeps_the_track(
    counting: Counting, astronaut: Picture
) -> None:
    # Given somebody who stands there, whom the first look after the movement's end misses
    settled = Counting(counting.detector)
    seen(watching(settled), frames([portrait(astronaut)] * 40))
    watch = watching(Blinking(counting.detector, range(settled.asked, settled.asked + 1)))
    found = seen(watch, frames([portrait(astronaut)] * 300))

    # I expect the track to go on, with chips to the end
    assert tracks_of(found) == [1]
    assert not [item for item in found if isinstance(item, TrackEnded)]
    assert found[-1].captured_at > (BEGIN + 45) * 1e9  # type: ignore[union-attr]


@pytest.mark.parametrize("ended_by", ["stall", "cut"])
def test_who_stands_still_has_a_new_track_soon_where_the_old_one_had_to_end(
    ended_by: str, counting: Counting, astronaut: Picture
) -> None:
    # Given somebody who stands there, and a stream that stops for a while, or is cut
    watch = watching(counting)
    shown = list(frames([portrait(astronaut)] * 200))
    seen(watch, shown[:100])
    if ended_by == "stall":
        watch.end_tracks(shown[100].captured_at)
    else:
        shown[100] = replace(shown[100], cut=True)

    # I expect somebody else to be there within a second, though nothing moves
    found = seen(watch, shown[100:])
    assert isinstance(found[0], TrackEnded)
    first = next(item for item in found if isinstance(item, FaceChip))
    assert first.track == 2
    assert first.captured_at <= shown[100].captured_at + 10**9


def test_while_nothing_is_decoded_tracks_go_on_and_end_with_the_hours(
    counting: Counting, astronaut: Picture
) -> None:
    # Given somebody who stands there at noon, and hours that end a minute later
    times = (datetime.fromtimestamp(BEGIN + number / FPS) for number in range(500))
    hours = Hours.model_validate({"until": "12:01"})
    watch = watching(counting, now=lambda: next(times), schedule=[hours])
    shown = list(frames([portrait(astronaut)] * 500))
    assert seen(watch, shown[:100])
    asked = counting.asked
    assert watch.still

    # When nothing is decoded any more
    found = seen(watch, (replace(frame, video=None) for frame in shown[100:]))

    # Then the track lasts without a look until the hours end, and nothing is called still after
    assert counting.asked == asked
    (end,) = found
    assert isinstance(end, TrackEnded)
    assert end.ended_at == pytest.approx((BEGIN + 60) * 1e9, abs=1e9)
    assert not watch.still
