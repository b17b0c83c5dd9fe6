"""A camera: frames as long as there are any, and again whenever they were lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from pathlib import Path

import av
import pytest
from structlog.testing import capture_logs

from facetrail.errors import StreamLost
from ingest.backoff import Backoff
from ingest.camera import HANGS_S, NOT_OPENED, Camera
from tests.ingest.clips import HEIGHT, WIDTH, moving, video_frame, write_clip
from tests.ingest.conftest import Pauses

ADDRESS = "rtsp://viewer:hunter2@10.0.0.12:554/stream?pw=hunter2"


class Exact(Backoff):
    """Without chance."""

    def pause(self, failures: int) -> float:
        return min(self.most_s, self.first_s * 2.0 ** (failures - 1))


def stream(*parts: int | str) -> Callable[..., Iterator[av.VideoFrame]]:
    """Opens one part after the other: as many frames, or a reason why there are none."""
    left = iter(parts)

    def opened(address: str, stop: threading.Event) -> Iterator[av.VideoFrame]:
        part = next(left, "no more")
        if isinstance(part, str):
            raise StreamLost(part)
        return (video_frame(picture, i) for i, picture in enumerate(moving(part)))

    return opened


def camera(address: str, *parts: int | str, most: int = 9) -> Camera:
    stop = Pauses(most)
    return Camera("lobby", address, fps=60, stop=stop, opener=stream(*parts), backoff=Exact())


def test_a_lost_stream_is_opened_again_after_longer_and_longer_pauses() -> None:
    reader = camera(ADDRESS, "refused", "refused", "refused", 3, "refused", most=5)
    assert len(list(reader.frames())) == 3
    assert isinstance(reader.stop, Pauses)
    assert reader.stop.taken == [1.0, 2.0, 4.0, 1.0, 2.0]


def test_it_says_why_no_frames_come() -> None:
    reader = camera(ADDRESS, "Connection refused", 2, most=2)
    assert reader.lost == NOT_OPENED
    frames = reader.frames()
    next(frames)
    assert reader.lost is None
    assert reader.stop.taken == [1.0]  # type: ignore[attr-defined]
    assert len(list(frames)) == 1
    assert reader.lost == "the stream ended"


def test_an_epoch_grows_with_each_opening_also_within_a_millisecond() -> None:
    reader = camera(ADDRESS, 2, 2, 2, most=4)
    before = time.time_ns() // 1_000_000
    epochs = [frame.stream_epoch for frame in reader.frames()]
    assert epochs[0] == epochs[1] and epochs[0] < epochs[2] < epochs[4]
    assert before <= epochs[0] <= before + 5_000


def test_a_file_is_played_again_without_a_pause() -> None:
    reader = camera("/clips/a.mp4", 3, 3, 3)
    epochs = [frame.stream_epoch for frame in islice(reader.frames(), 9)]
    assert len(set(epochs)) == 3
    assert reader.stop.taken == []  # type: ignore[attr-defined]


def test_a_file_without_a_frame_is_not_opened_without_end() -> None:
    reader = camera("/clips/a.mp4", 2, 0, 0, 2, most=3)
    assert len(list(reader.frames())) == 4
    assert reader.stop.taken == [1.0, 2.0, 1.0]  # type: ignore[attr-defined]


def test_it_never_logs_the_address() -> None:
    with capture_logs() as lines:
        list(camera(ADDRESS, "Connection refused", most=1).frames())
    (line,) = lines
    assert line == {
        "event": "camera lost, next try in 1.0 s",
        "camera": "lobby",
        "address": "rtsp://10.0.0.12:554",
        "cause": "Connection refused",
        "log_level": "warning",
    }


def test_a_stop_is_no_loss() -> None:
    reader = camera(ADDRESS, 100)
    frames = reader.frames()
    next(frames)
    reader.stop.set()
    with capture_logs() as lines:
        assert list(frames) == []
    assert lines == []


def test_only_the_wanted_frames_are_given_and_a_cut_between_is_kept() -> None:
    pictures = [*moving(4), *([next(moving(1))[::-1, ::-1] // 3 + 160] * 26)]

    def opened(address: str, stop: threading.Event) -> Iterator[av.VideoFrame]:
        return (video_frame(picture, i) for i, picture in enumerate(pictures))

    reader = Camera("lobby", ADDRESS, fps=5, stop=Pauses(1), opener=opened)
    frames = list(reader.frames())
    assert [round(frame.seconds * 15) for frame in frames] == list(range(0, 30, 3))
    assert sum(frame.cut for frame in frames) <= 1


def test_a_real_file_is_looped_at_its_own_rate(clip: Path) -> None:
    # If a clip of two seconds is watched for three
    stop = threading.Event()
    reader = Camera("lobby", str(clip), fps=15, stop=stop)
    began = time.monotonic()
    frames = list(islice(reader.frames(), 45))
    took = time.monotonic() - began
    stop.set()

    # I expect it once and a half, as fast as it is meant
    assert 2.7 < took < 4.0
    epochs = [frame.stream_epoch for frame in frames]
    assert len(set(epochs)) == 2 and epochs == sorted(epochs)
    assert epochs.count(epochs[0]) == 30
    assert frames[29].seconds == pytest.approx(29 / 15, abs=0.01)
    assert frames[30].seconds == 0
    assert all(a.captured_at < b.captured_at for a, b in pairwise(frames))
    assert frames[0].picture.shape == (HEIGHT, WIDTH, 3)
    red, green, _ = frames[0].picture[100, 30]
    assert red > 150 > 60 > green


def test_a_file_that_comes_late_is_played(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"

    class Writes(Pauses):
        def wait(self, timeout: float | None = None) -> bool:
            if len(self.taken) == 2:
                write_clip(path, moving(3))
            return super().wait(timeout)

    stop = Writes(most=50)
    reader = Camera("lobby", str(path), fps=15, stop=stop, backoff=Exact())
    assert len(list(islice(reader.frames(), 6))) == 6
    assert stop.taken[:3] == [1.0, 2.0, 4.0]


def test_a_decoder_that_hangs_is_known(wait_for: Callable[..., None]) -> None:
    # Given a camera whose opening neither comes to a frame nor to an error
    release, inside = threading.Event(), threading.Event()

    def hanging(address: str, stop: threading.Event) -> Iterator[av.VideoFrame]:
        inside.set()
        release.wait(30)
        return iter(())

    reader = Camera("lobby", ADDRESS, fps=5, stop=Pauses(1), opener=hanging)
    thread = threading.Thread(target=lambda: list(reader.frames()))
    thread.start()
    inside.wait(10)

    # I expect it to hang after a while
    now = time.monotonic()
    assert not reader.hangs(now + HANGS_S / 2)
    assert reader.hangs(now + HANGS_S + 1)
    release.set()
    thread.join()


def test_a_pause_is_no_hanging_and_a_file_never_hangs() -> None:
    reader = camera(ADDRESS, "refused", most=1)
    reader._backoff = Exact(first_s=30)
    list(reader.frames())
    assert not reader.hangs(time.monotonic() + 30 + HANGS_S - 1)
    assert reader.hangs(time.monotonic() + 30 + HANGS_S + 1)
    assert not camera("/clips/a.mp4").hangs(time.monotonic() + 1000)
