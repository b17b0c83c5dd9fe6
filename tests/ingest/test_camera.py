"""A camera: frames as long as there are any, and again whenever they were lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from facetrail.errors import StreamLost
from ingest.backoff import Backoff
from ingest.camera import HANGS_S, NOT_OPENED, OPENING_HANGS_S, SAID_AFTER_S, STEADY_S, Camera
from ingest.faces.face import Picture
from ingest.looking.sight import Sight
from ingest.reading.packets import Shot
from tests.ingest.clips import HEIGHT, WIDTH, moving, video_frame, write_clip
from tests.ingest.conftest import Pauses

ADDRESS = "rtsp://viewer:hunter2@10.0.0.12:554/stream?pw=hunter2"


class Exact(Backoff):
    """Without chance."""

    def pause(self, failures: int) -> float:
        return min(self.most_s, self.first_s * 2.0 ** (failures - 1))


def shot(picture: Picture, number: int, taken_at: int | None = None) -> Shot:
    frame = video_frame(picture, number)
    return Shot(frame, frame.time, taken_at)


def shots(pictures: Iterable[Picture]) -> Iterator[Shot]:
    return (shot(picture, i) for i, picture in enumerate(pictures))


def stream(*parts: int | str) -> Callable[..., Iterator[Shot]]:
    """Opens one part after the other: as many frames, or a reason why there are none."""
    left = iter(parts)

    def opened(address: str, stop: threading.Event) -> Iterator[Shot]:
        part = next(left, "no more")
        if isinstance(part, str):
            raise StreamLost(part)
        return shots(moving(part))

    return opened


def camera(address: str, *parts: int | str, most: int = 9) -> Camera:
    stop = Pauses(most)
    return Camera("lobby", address, fps=60, stop=stop, opener=stream(*parts), backoff=Exact())


def test_a_lost_stream_is_opened_again_after_longer_and_longer_pauses() -> None:
    reader = camera(ADDRESS, "refused", "refused", "refused", 40, "refused", most=5)
    assert len(list(reader.frames())) > 40 * STEADY_S / 3
    assert isinstance(reader.stop, Pauses)
    assert reader.stop.taken == [1.0, 2.0, 4.0, 1.0, 2.0]


def test_a_stream_that_ends_at_once_is_tried_less_and_less_often() -> None:
    reader = camera(ADDRESS, 3, 3, 3, most=3)
    assert len(list(reader.frames())) == 9
    assert reader.stop.taken == [1.0, 2.0, 4.0]  # type: ignore[attr-defined]


def test_it_says_why_no_frames_come() -> None:
    reader = camera(ADDRESS, "Connection refused", 2, most=2)
    assert reader.lost == NOT_OPENED
    frames = reader.frames()
    next(frames)
    assert reader.lost is None
    assert reader.stop.taken == [1.0]  # type: ignore[attr-defined]
    assert len(list(frames)) == 1
    assert reader.lost == "the stream ended"


def test_that_no_picture_has_come_yet_is_said_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = camera(ADDRESS, 2)
    began = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: began + SAID_AFTER_S - 1)
    assert reader.lost == NOT_OPENED
    monkeypatch.setattr(time, "monotonic", lambda: began + SAID_AFTER_S + 1)
    assert reader.lost == "no picture yet" and SAID_AFTER_S < 10


def test_a_picture_that_is_black_is_said_once_and_that_it_is_back() -> None:
    black, grey = np.full((HEIGHT, WIDTH, 3), 5, np.uint8), next(moving(1))
    pictures = [grey, *[black] * 150, *[grey] * 4]
    reader = Camera("lobby", ADDRESS, fps=5, stop=Pauses(1), opener=lambda *_: shots(pictures))
    with capture_logs() as lines:
        assert len(list(reader.frames())) > 40
    assert [line["event"] for line in lines if line["camera"] == "lobby"][:2] == [
        "the picture is black: is the lens covered?",
        "the picture is no longer black",
    ]


def test_a_frame_has_the_time_of_the_cameras_clock() -> None:
    # Given a camera that says when it took its first two frames, one of them long ago
    now = time.time_ns()
    taken = [now - 10**9, now - 10**12, None]
    reader = Camera(
        "lobby",
        ADDRESS,
        fps=60,
        stop=Pauses(1),
        opener=lambda *_: (
            shot(picture, i, at)
            for i, (picture, at) in enumerate(zip(moving(3), taken, strict=True))
        ),
    )
    frames = reader.frames()
    assert next(frames).captured_at == now - 10**9
    assert reader.clock == "rtcp"
    assert now <= next(frames).captured_at < now + 10**10
    assert reader.clock == "arrival"


def test_word_that_the_picture_is_still_goes_on_as_often_as_pictures() -> None:
    # Given a stream of which after a second nothing is decoded, dated by the camera's clock
    now = time.time_ns()
    still = [Shot(None, i / 15) for i in range(15, 60)]
    reader = Camera(
        "lobby",
        ADDRESS,
        fps=5,
        stop=Pauses(1),
        opener=lambda *_: iter(
            [*(shot(p, i, now - 10**9) for i, p in enumerate(moving(15))), *still]
        ),
    )
    frames = list(reader.frames())
    assert [frame.video is None for frame in frames] == [False] * 5 + [True] * 15
    assert not any(frame.cut for frame in frames)
    times = [frame.captured_at for frame in frames]
    assert times == sorted(times) and times[-1] < now


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
    assert reader.stop.taken == [1.0, 2.0, 4.0]  # type: ignore[attr-defined]


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

    reader = Camera("lobby", ADDRESS, fps=5, stop=Pauses(1), opener=lambda *_: shots(pictures))
    frames = list(reader.frames())
    assert [round(frame.seconds * 15) for frame in frames] == list(range(0, 30, 3))
    assert sum(frame.cut for frame in frames) == 1


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
    assert Sight(frames[0].video).picture.shape == (HEIGHT, WIDTH, 3)
    red, green, _ = Sight(frames[0].video).picture[100, 30]
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


@pytest.mark.parametrize(("frames", "limit_s"), [(0, OPENING_HANGS_S), (3, HANGS_S)])
def test_a_decoder_that_hangs_is_known(frames: int, limit_s: float) -> None:
    # Given a camera whose opening comes neither to a frame, or another one, nor to an error
    release, inside = threading.Event(), threading.Event()

    def hanging(address: str, stop: threading.Event) -> Iterator[Shot]:
        yield from shots(moving(frames))
        inside.set()
        release.wait(30)

    reader = Camera("lobby", ADDRESS, fps=60, stop=Pauses(1), opener=hanging)
    thread = threading.Thread(target=lambda: list(reader.frames()))
    thread.start()
    inside.wait(10)

    # I expect it to hang after a while
    now = time.monotonic()
    assert not reader.hangs(now + limit_s / 2)
    assert reader.hangs(now + limit_s + 1)
    release.set()
    thread.join()


def test_a_pause_is_no_hanging_and_a_file_never_hangs() -> None:
    reader = camera(ADDRESS, "refused", most=1)
    reader._backoff = Exact(first_s=20)
    list(reader.frames())
    assert not reader.hangs(time.monotonic() + 20 + OPENING_HANGS_S - 1)
    assert reader.hangs(time.monotonic() + 20 + OPENING_HANGS_S + 1)
    assert not camera("/clips/a.mp4").hangs(time.monotonic() + 1000)
