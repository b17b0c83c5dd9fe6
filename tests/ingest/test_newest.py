"""A place for one frame: the newest wins."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from ingest.camera import Frame
from ingest.newest import NewestFrame
from tests.ingest.clips import moving, video_frame


def frame(seconds: float, *, cut: bool = False) -> Frame:
    return Frame(video_frame(next(moving(1))), 0, seconds, 1, cut)


def test_the_newest_frame_wins() -> None:
    newest = NewestFrame()
    for seconds in (1.0, 2.0, 3.0):
        newest.put(frame(seconds))
    found = newest.take(0)
    assert found is not None and found.seconds == 3.0
    assert newest.take(0) is None


def test_a_cut_outlives_the_frame_it_came_with() -> None:
    newest = NewestFrame()
    newest.put(frame(1.0, cut=True))
    newest.put(frame(2.0))
    found = newest.take(0)
    assert found is not None and found.seconds == 2.0 and found.cut
    newest.put(frame(3.0))
    found = newest.take(0)
    assert found is not None and not found.cut


def test_a_frame_is_waited_for() -> None:
    newest = NewestFrame()
    threading.Timer(0.05, newest.put, [frame(1.0)]).start()
    assert newest.take(10) is not None


def test_no_frame_is_waited_for_no_longer_than_told() -> None:
    began = time.monotonic()
    assert NewestFrame().take(0.05) is None
    assert 0.04 < time.monotonic() - began < 1


def test_a_picture_that_waits_is_not_replaced_by_word_that_it_is_still() -> None:
    newest = NewestFrame()
    newest.put(frame(1.0))
    newest.put(replace(frame(2.0), video=None))
    taken = newest.take(0)
    assert taken is not None and taken.seconds == 1.0 and taken.video is not None
    newest.put(replace(frame(3.0), video=None))
    newest.put(frame(4.0))
    taken = newest.take(0)
    assert taken is not None and taken.seconds == 4.0
