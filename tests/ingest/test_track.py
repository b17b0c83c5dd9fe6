"""One id per appearance: kept while a face moves, never given twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ingest.faces.face import Face
from ingest.track import CARRY_S, LOST_S, Tracker

FPS = 5.0


def face(x: float, y: float = 100.0, side: float = 60.0, score: float = 0.9) -> Face:
    return Face((x, y, side, side), np.zeros((5, 2), np.float32), score)


def ids(tracker: Tracker, faces: Sequence[Face], seconds: float) -> list[int]:
    """The ids of a frame's faces that have one, from left to right."""
    found = tracker.update(faces, seconds).faces
    return [track for track, _ in sorted(found, key=lambda pair: pair[1].box[0])]


@pytest.fixture
def tracker() -> Tracker:
    return Tracker(fps=FPS, least_score=0.5)


@pytest.mark.parametrize("fps", [2.0, 5.0, 15.0, 30.0])
def test_a_moving_face_has_one_id(fps: float) -> None:
    tracker = Tracker(fps=fps, least_score=0.5)
    step = 60 / fps  # its own width in a second
    found = [ids(tracker, [face(100 + step * i)], i / fps) for i in range(30)]
    assert found[0] == []
    assert found[1:] == [[1]] * 29


@pytest.mark.parametrize("widths", [3.0, 6.0])
def test_someone_who_walks_across_has_one_id(widths: float, tracker: Tracker) -> None:
    step = 60 * widths / FPS
    found = [ids(tracker, [face(100 + step * i)], i / FPS) for i in range(10)]
    assert found[1:] == [[1]] * 9


def test_two_who_cross_keep_their_ids(tracker: Tracker) -> None:
    # Given two that walk towards each other, one of them hidden where they meet
    found = {}
    for i in range(21):
        one, other = face(100 + 30 * i), face(700 - 30 * i, y=120.0)
        hidden = abs(one.box[0] - other.box[0]) < 50
        seen = tracker.update([other] if hidden else [one, other], i / FPS)
        found[i] = {track: shown.box[1] for track, shown in seen.faces}

    # I expect each to have its own id before and after
    assert found[5] == found[20]
    assert len(found[5]) == 2


def test_whoever_does_not_move_is_carried_on(tracker: Tracker) -> None:
    # Given a track of someone, and one of someone who has just left
    for i in range(3):
        tracker.update([face(100), face(500)], i / FPS)
    tracker.update([face(100)], 3 / FPS)

    # If nothing moves for ten seconds, I expect only the other to end
    ended = [tracker.carry_on(i / FPS) for i in range(4, 54)]
    assert [tracks for tracks in ended if tracks] == [(2,)]
    assert ids(tracker, [face(100)], 54 / FPS) == [1]


def test_nobody_is_carried_on_past_a_cut(tracker: Tracker) -> None:
    for i in range(3):
        tracker.update([face(100)], i / FPS)
    assert tracker.end_all() == (1,)
    assert tracker.carry_on(3 / FPS) == ()
    assert ids(tracker, [face(100)], 4 / FPS) == []


def test_a_face_seen_once_is_not_made_a_track_by_carrying_on(tracker: Tracker) -> None:
    for i in range(3):
        tracker.update([face(100)], i / FPS)
    tracker.update([face(100), face(500)], 3 / FPS)
    assert tracker.carry_on(3 / FPS + CARRY_S) == ()
    assert ids(tracker, [face(100), face(500)], 4 / FPS + CARRY_S) == [1]


def test_the_face_of_a_track_is_the_one_detected(tracker: Tracker) -> None:
    tracker.update([face(100)], 0.0)
    one = face(102)
    ((_, found),) = tracker.update([one], 0.2).faces
    assert found is one


def test_two_faces_that_move_side_by_side_keep_their_ids(tracker: Tracker) -> None:
    found = [ids(tracker, [face(100 + 10 * i), face(190 + 10 * i)], i / FPS) for i in range(30)]
    assert found[1:] == [[1, 2]] * 29


def test_the_order_of_detection_does_not_matter(tracker: Tracker) -> None:
    for i in range(2):
        tracker.update([face(100), face(300)], i / FPS)
    assert ids(tracker, [face(300), face(100)], 2 / FPS) == [1, 2]


def test_a_face_seen_once_makes_no_track(tracker: Tracker) -> None:
    assert ids(tracker, [face(100)], 0.0) == []
    for i in range(1, 20):
        seen = tracker.update([], i / FPS)
        assert (seen.faces, seen.ended) == ((), ())
    assert tracker.end_all() == ()


def test_a_face_below_the_score_starts_no_track() -> None:
    tracker = Tracker(fps=FPS, least_score=0.95)
    assert [ids(tracker, [face(100)], i / FPS) for i in range(5)] == [[]] * 5


def test_a_weak_detection_carries_a_track_on_where_the_face_was(tracker: Tracker) -> None:
    scores = [0.9, 0.9, 0.35, 0.35, 0.9]
    found = [ids(tracker, [face(100 + 10 * i, score=s)], i / FPS) for i, s in enumerate(scores)]
    assert found == [[], [1], [1], [1], [1]]


def test_a_weak_detection_elsewhere_is_nobody(tracker: Tracker) -> None:
    for i in range(3):
        tracker.update([face(100)], i / FPS)
    assert ids(tracker, [face(150, score=0.35)], 3 / FPS) == []
    assert ids(tracker, [face(100)], 4 / FPS) == [1]


def test_weak_detections_alone_start_no_track(tracker: Tracker) -> None:
    assert [ids(tracker, [face(100, score=0.35)], i / FPS) for i in range(5)] == [[]] * 5


def test_who_turns_away_does_not_hand_the_track_to_somebody_behind(tracker: Tracker) -> None:
    # Given someone close to the camera, who turns away for a moment
    for i in range(3):
        tracker.update([face(100, side=160)], i / FPS)

    # If a smaller face is seen at that place meanwhile
    found = [ids(tracker, [face(150, y=140, side=60)], i / FPS) for i in range(3, 6)]

    # I expect it to have a track of its own, and the first to have theirs again
    assert found == [[], [2], [2]]
    assert ids(tracker, [face(100, side=160)], 6 / FPS) == [1]


@pytest.mark.parametrize("fps", [2.0, 5.0])
def test_who_comes_nearer_keeps_the_id(fps: float) -> None:
    tracker = Tracker(fps=fps, least_score=0.5)
    sides = [40 * 1.6 ** (i / fps) for i in range(int(3 * fps))]
    found = [
        ids(tracker, [face(300 - s / 2, 200 - s / 2, s)], i / fps) for i, s in enumerate(sides)
    ]
    assert found[1:] == [[1]] * (len(sides) - 1)


def test_who_goes_behind_a_pillar_has_one_id(tracker: Tracker) -> None:
    # Given a face of which less and less is seen, then nothing, then more and more
    for i in range(24):
        left, right = 100 + 12 * i, 160 + 12 * i
        shown = (left, min(right, 220)) if left < 200 else (max(left, 260), right)
        width = shown[1] - shown[0]
        faces = [Face((shown[0], 100, width, 60), face(0).landmarks, 0.9)] if width >= 30 else []
        seen = tracker.update(faces, i / FPS)

    # I expect it to have one id on both sides
    assert [track for track, _ in seen.faces] == [1]


def test_a_face_gone_for_a_moment_keeps_its_id(tracker: Tracker) -> None:
    for i in range(3):
        tracker.update([face(100)], i / FPS)
    for i in range(3, 12):  # gone from 0.4 s until 2.4 s
        assert tracker.update([], i / FPS).ended == ()
    assert ids(tracker, [face(100)], 12 / FPS) == [1]


def test_a_face_gone_for_long_has_ended_once_and_comes_back_as_another(tracker: Tracker) -> None:
    # Given a track last seen at 0.4 s
    for i in range(3):
        tracker.update([face(100)], i / FPS)

    # If nobody is seen for more than three seconds
    ended = {i / FPS: tracker.update([], i / FPS).ended for i in range(3, 20)}

    # I expect one end, in the first frame after LOST_S, and another id from then on
    assert [(at, tracks) for at, tracks in ended.items() if tracks] == [(2.6, (1,))]
    assert 2.6 - 0.4 > LOST_S
    again = [ids(tracker, [face(100)], i / FPS) for i in range(20, 22)]
    assert again == [[], [2]]


def test_a_face_that_ended_is_not_seen_and_ended_in_one_frame(tracker: Tracker) -> None:
    for gap in np.arange(LOST_S - 0.2, LOST_S + 0.2, 0.01):
        own = Tracker(fps=FPS, least_score=0.5)
        for i in range(3):
            own.update([face(100)], i / FPS)
        seen = own.update([face(100)], 0.4 + float(gap))
        assert {track for track, _ in seen.faces}.isdisjoint(seen.ended)


def test_one_face_may_end_while_another_stays(tracker: Tracker) -> None:
    for i in range(3):
        tracker.update([face(100), face(300)], i / FPS)
    ended = [tracker.update([face(100)], i / FPS).ended for i in range(3, 15)]
    assert [tracks for tracks in ended if tracks] == [(2,)]


def test_end_all_ends_what_is_open_and_nothing_twice(tracker: Tracker) -> None:
    for i in range(3):
        tracker.update([face(100), face(300)], i / FPS)
    assert sorted(tracker.end_all()) == [1, 2]
    assert tracker.end_all() == ()
    assert all(tracker.update([], i / FPS).ended == () for i in range(3, 15))


def test_an_id_is_never_given_twice(tracker: Tracker) -> None:
    # Given a long track 1 and a short track 2 that has ended
    now = 0.0
    for i in range(15):
        tracker.update([face(100), face(300)] if i < 3 else [face(100)], now := i / FPS)

    # If the picture is cut while only the first is there
    assert tracker.end_all() == (1,)

    # I expect the next to be a third, also after a cut at which nobody was there
    found = [ids(tracker, [face(100)], now := now + 1 / FPS) for _ in range(3)]
    assert found[1:] == [[3], [3]]
    for _ in range(15):
        tracker.update([], now := now + 1 / FPS)
    assert tracker.end_all() == ()
    found = [ids(tracker, [face(100)], now := now + 1 / FPS) for _ in range(3)]
    assert found[1:] == [[4], [4]]


def test_the_clock_may_start_anew_after_a_cut(tracker: Tracker) -> None:
    for i in range(3):
        tracker.update([face(100)], 1000 + i / FPS)
    tracker.end_all()
    assert [ids(tracker, [face(100)], i / FPS) for i in range(3)] == [[], [2], [2]]


def test_a_crowd_is_told_apart(tracker: Tracker) -> None:
    crowd = [face(90.0 * i, 90.0 * j) for i in range(8) for j in range(5)]
    for i in range(2):
        tracker.update(crowd, i / FPS)
    seen = tracker.update(crowd, 2 / FPS)
    assert sorted(track for track, _ in seen.faces) == list(range(1, 41))


def test_a_camera_looked_at_every_three_seconds_keeps_its_tracks() -> None:
    tracker = Tracker(fps=1 / 3, least_score=0.5)
    assert [ids(tracker, [face(100)], 3.0 * i) for i in range(4)] == [[], [1], [1], [1]]
    # Out of sight for two frames it goes on; with the third it has ended
    assert [tracker.update([], 12.0 + 3.0 * i).ended for i in range(3)] == [(), (), (1,)]
