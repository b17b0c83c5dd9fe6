"""Cameras behind a real RTSP server, which refuses, ends, dies and comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from ingest.backoff import Backoff
from ingest.camera import Camera
from tests.ingest.clips import moving, write_clip
from tests.ingest.conftest import PASSWORD, Pauses, RtspServer, login


def watched(url: str) -> Camera:
    backoff = Backoff(first_s=0.1, most_s=0.2)
    return Camera("lobby", url, fps=15, stop=threading.Event(), backoff=backoff)


@pytest.mark.parametrize("auth", ["digest", "basic"])
def test_an_rtsp_server_shows_its_picture_to_who_knows_the_password(
    auth: str, rtsp_server: Callable[..., RtspServer]
) -> None:
    server = rtsp_server("--user", "viewer", "--password-env", "PW", "--auth", auth)
    reader = watched(server.url(login("viewer", PASSWORD)))
    assert len(list(islice(reader.frames(), 5))) == 5
    reader.stop.set()


def test_a_wrong_password_is_told_as_such(rtsp_server: Callable[..., RtspServer]) -> None:
    server = rtsp_server("--user", "viewer", "--password-env", "PW")
    stop = Pauses(most=1)
    reader = Camera("lobby", server.url(login("viewer", "wrong")), fps=15, stop=stop)
    assert list(reader.frames()) == []
    assert reader.lost == "the camera refused the user or password"


def test_an_rtsp_clip_that_ends_is_opened_again(rtsp_server: Callable[..., RtspServer]) -> None:
    reader = watched(rtsp_server("--once").url())
    epochs = [frame.stream_epoch for frame in islice(reader.frames(), 40)]
    assert len(set(epochs)) == 2
    assert 28 <= epochs.count(epochs[0]) <= 30


def test_frames_come_again_after_the_server_died(rtsp_server: Callable[..., RtspServer]) -> None:
    # Given a camera that shows its picture
    server = rtsp_server()
    reader = watched(server.url())
    frames = reader.frames()
    first = next(frames)

    # If it is killed, and started again after it was found dead
    server.kill()
    restarted = threading.Thread(target=lambda: (_until_lost(reader), server.start()))
    restarted.start()
    later = next(frame for frame in frames if frame.stream_epoch != first.stream_epoch)
    restarted.join()

    # I expect frames of another opening
    assert later.stream_epoch > first.stream_epoch
    reader.stop.set()


def test_a_live_picture_is_joined_in_the_middle(
    rtsp_server: Callable[..., RtspServer], tmp_path: Path
) -> None:
    server = rtsp_server(clip=write_clip(tmp_path / "long.mp4", moving(90)))
    first = watched(server.url())
    assert len(list(islice(first.frames(), 8))) == 8
    second = watched(server.url())
    assert len(list(islice(second.frames(), 5))) == 5
    assert second.lost is None


def _until_lost(reader: Camera) -> None:
    while reader.lost is None:
        reader.stop.wait(0.01)
