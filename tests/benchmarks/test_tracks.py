"""The figures of tracks, on sequences of which they are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.appearances import Box, clips, corners, shown
from benchmarks.crossings import SECONDS, crossings, heads
from benchmarks.tracks import Step, row, steps
from ingest.faces.detect import open_detector
from ingest.faces.face import Detector
from ingest.looking.detectors import weakest
from ingest.looking.second_opinion import SecondOpinion
from ingest.track import Tracker

BOX: Box = (10.0, 10.0, 50.0, 60.0)
LEAST = 0.5
OTHER: Box = (200.0, 10.0, 50.0, 60.0)


def step(truth: dict[int, Box], tracks: dict[int, Box]) -> Step:
    return Step(
        np.array(list(truth), np.int_),
        corners(list(truth.values())),
        np.array(list(tracks), np.int_),
        corners(list(tracks.values())),
    )


def test_what_is_tracked_rightly_has_full_marks() -> None:
    found = row("a", [step({0: BOX, 1: OTHER}, {7: BOX, 8: OTHER})] * 10)
    assert (found.people, found.tracks, found.most, found.strays) == (2, 2, 1, 0)
    assert (found.switches, found.breaks) == (0, 0)
    assert (found.idf1, found.hota) == pytest.approx((1.0, 1.0))


def test_a_track_that_changes_its_number_is_a_switch() -> None:
    found = row("a", [step({0: BOX}, {7: BOX})] * 5 + [step({0: BOX}, {8: BOX})] * 5)
    assert (found.tracks, found.most, found.switches) == (2, 2, 1)
    assert found.idf1 == pytest.approx(0.5)


def test_two_that_change_places_are_two_switches() -> None:
    before = step({0: BOX, 1: OTHER}, {7: BOX, 8: OTHER})
    after = step({0: BOX, 1: OTHER}, {8: BOX, 7: OTHER})
    assert row("a", [before] * 5 + [after] * 5).switches == 2


def test_a_face_lost_for_a_while_is_a_break_and_one_of_nobody_a_stray() -> None:
    there, gone = step({0: BOX}, {7: BOX}), step({0: BOX}, {9: OTHER})
    found = row("a", [there] * 4 + [gone] * 2 + [there] * 4)
    assert (found.switches, found.breaks, found.strays) == (0, 1, 1)


def test_frames_without_anyone_count_for_nothing() -> None:
    assert row("a", [step({}, {}), step({0: BOX}, {7: BOX})]).idf1 == pytest.approx(1.0)


def test_the_truth_of_a_clip_is_that_of_its_frames(test_data: Path) -> None:
    assert clips() == ["five_faces_1080p.mp4", "five_faces_720p.mp4", "short_hamilton_clip.mp4"]
    frames = list(shown(test_data / "videos", "short_hamilton_clip.mp4", 5.0))
    assert len(frames) == 46
    assert [i for i, frame in enumerate(frames) if frame.cut] == [4, 14, 36]
    assert all(set(frame.truth) == {"miranda"} for frame in frames[15:35])
    assert all("audience_1" in frame.truth for frame in frames[36:])


def test_made_heads_are_where_the_detector_finds_them(detector: Detector, test_data: Path) -> None:
    photos = sorted((test_data / "faces" / "lfw" / "images").glob("A*/*_0001.jpg"))[:3]
    made = dict(crossings(heads(photos, detector), fps=1.0))
    frames = made["crossing, 1 widths/s"]
    assert len(frames) == SECONDS
    (one, other) = frames[0].truth.values()
    assert one[0] < other[0]
    for frame in (frames[0], frames[-1]):
        found = sorted(face.box[0] for face in detector.detect(frame.picture))
        assert found == pytest.approx(sorted(box[0] for box in frame.truth.values()), abs=15)
    # In the middle only the one in front is seen, and nobody behind the pillar
    assert list(frames[3].truth) == ["1"]
    assert made["pillar, 1 widths/s"][3].truth == {}


@pytest.mark.parametrize(
    ("clip", "tracks"), [("five_faces_720p.mp4", 6), ("short_hamilton_clip.mp4", 15)]
)
def test_every_appearance_in_a_clip_has_one_track(
    clip: str, tracks: int, test_data: Path, cache_dir: Path
) -> None:
    weak = weakest("centerface", LEAST)
    detector = open_detector("centerface", model_dir=None, cache_dir=cache_dir, score=weak)
    frames = shown(test_data / "videos", clip, 5.0)
    found = row(clip, steps(frames, detector, Tracker(fps=5.0, least_score=LEAST)))
    assert found.most == 1
    assert (found.tracks, found.switches) == (tracks, 0)
    assert found.strays <= 1


@pytest.mark.parametrize(
    ("clip", "tracks"), [("five_faces_720p.mp4", 6), ("short_hamilton_clip.mp4", 11)]
)
def test_so_it_has_with_yunet(
    clip: str, tracks: int, detector: Detector, test_data: Path, model_dir: Path, cache_dir: Path
) -> None:
    yunet = open_detector("yunet", model_dir=model_dir, cache_dir=cache_dir, score=LEAST)
    frames = shown(test_data / "videos", clip, 5.0)
    tracker, opinion = Tracker(fps=5.0, least_score=LEAST), SecondOpinion(detector)
    found = row(clip, steps(frames, yunet, tracker, opinion))
    assert (found.tracks, found.most, found.switches, found.strays) == (tracks, 1, 0, 0)
