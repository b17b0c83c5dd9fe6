"""A camera behind a network and a server that fail: it always comes back."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from examples import simulator
from ingest.looking.sight import Sight
from tests.ingest.access_units import write_units
from tests.ingest.clips import moving, write_clip
from tests.ingest.conftest import CAMERAS, PASSWORD, RtspServer, login
from tests.ingest.proxy import Fault, OtherClock, Proxy
from tests.ingest.viewer import Viewer, camera

Wait = Callable[..., None]
Server = Callable[..., RtspServer]
LONG_S = 30.0


def come(viewer: Viewer, count: int = 5) -> Callable[[], bool]:
    """Whether so many more frames have come since the call."""
    before = len(viewer.frames)
    return lambda: len(viewer.frames) >= before + count


@pytest.mark.parametrize("fault", ["cut", "freeze", "slow"])
def test_a_network_that_fails_is_noticed_and_the_camera_comes_back(
    fault: Fault, rtsp_server: Server, wait_for: Wait
) -> None:
    # Given a camera that shows its picture
    server = rtsp_server()
    with Proxy(server.port) as proxy, Viewer(camera(server.url(port=proxy.port))) as viewer:
        wait_for(come(viewer), LONG_S)
        first = viewer.epoch

        # If the network fails, I expect that to be noticed
        with proxy.failing(fault):
            wait_for(lambda: viewer.reader.lost is not None, LONG_S)

        # and frames of another opening when it is back
        wait_for(lambda: viewer.epoch > first and viewer.reader.lost is None, LONG_S)
    if fault == "freeze":
        assert "no answer within 1.5 s" in viewer.causes


@pytest.mark.parametrize("fault", ["garbage", "drop"])
def test_bytes_that_are_spoilt_end_nothing(
    fault: Fault, rtsp_server: Server, wait_for: Wait, tmp_path: Path
) -> None:
    # Given a camera with a picture of many bytes, some of which are spoilt for a while
    noise = np.random.default_rng(0).integers(0, 255, (240, 400, 3), np.uint8)
    pictures = (noise[:, i : i + 320] for i in range(45))
    server = rtsp_server(clip=write_clip(tmp_path / "noise.mp4", pictures))
    with Proxy(server.port) as proxy, Viewer(camera(server.url(port=proxy.port))) as viewer:
        wait_for(come(viewer), LONG_S)
        with proxy.failing(fault):
            wait_for(lambda: proxy.spoilt >= 8, LONG_S)

        # I expect frames again, soon
        wait_for(come(viewer, 15), LONG_S)
        wait_for(lambda: viewer.reader.lost is None, LONG_S)


def test_other_credentials_are_told_and_the_old_ones_help_again(
    rtsp_server: Server, wait_for: Wait
) -> None:
    options = ("--password-env", "PW", "--user")
    server = rtsp_server(*options, "viewer")
    with Viewer(camera(server.url(login("viewer", PASSWORD)))) as viewer:
        wait_for(come(viewer), LONG_S)
        server.kill()
        server.options = (*options, "other")
        server.start()
        wait_for(lambda: viewer.reader.lost == "the camera refused the user or password", LONG_S)
        server.kill()
        server.options = (*options, "viewer")
        server.start()
        wait_for(lambda: viewer.reader.lost is None, LONG_S)


def test_a_camera_that_comes_back_with_another_codec_is_read(
    rtsp_server: Server, wait_for: Wait, tmp_path: Path
) -> None:
    server = rtsp_server()
    with Viewer(camera(server.url())) as viewer:
        wait_for(come(viewer), LONG_S)
        assert viewer.reader.opened is not None and viewer.reader.opened.codec == "h264"
        server.kill()
        server.script, server.clip = CAMERAS, write_units(tmp_path / "units", "h265", moving(30))
        server.start()
        wait_for(lambda: viewer.reader.opened is not None and viewer.reader.opened.codec == "hevc")
        wait_for(come(viewer), LONG_S)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_a_picture_that_changes_its_size_goes_on_with_a_cut(
    codec: str, transport: str, rtsp_server: Server, tmp_path: Path
) -> None:
    # Given a camera whose picture is twice as large every other second
    large = [np.asarray(picture).repeat(2, 0).repeat(2, 1) for picture in moving(15)]
    clip = write_units(tmp_path / "units", codec, moving(15), large)
    server = rtsp_server(clip=clip, script=CAMERAS)

    # I expect all of it in one opening, and the change to be seen
    reader = camera(server.url(), transport=transport)
    frames = list(islice(reader.frames(), 45))
    reader.stop.set()
    assert len({frame.stream_epoch for frame in frames}) == 1
    changes = [b.cut for a, b in pairwise(frames) if a.video.width != b.video.width]
    assert len(changes) >= 2 and all(changes)
    assert {Sight(frame.video).picture.shape for frame in frames} == {(240, 320, 3), (480, 640, 3)}


def datagram_sockets() -> set[str]:
    """The UDP sockets of this process."""
    tables = [Path(f"/proc/net/{name}") for name in ("udp", "udp6")]
    lines = [line for table in tables if table.exists() for line in table.read_text().splitlines()]
    links = set()
    for file in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            links.add(os.readlink(file))
    return {f"socket:[{line.split()[9]}]" for line in lines} & links


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_frames_are_dated_by_the_cameras_clock(transport: str, rtsp_server: Server) -> None:
    reader = camera(rtsp_server().url(), transport=transport)
    with capture_logs() as lines:
        frames = reader.frames()
        next(frames)
        assert bool(datagram_sockets()) == (transport == "udp")
        assert any(reader.clock == "rtcp" for _ in islice(frames, 300))
    reader.stop.set()
    assert reader.opened is not None and reader.opened.transport == transport
    (opened,) = [line for line in lines if line["event"] == "camera opened"]
    assert (opened["codec"], opened["size"], opened["clock"]) == ("h264", "320x240", "arrival")
    assert "frames are dated by the camera's clock" in [line["event"] for line in lines]


def test_a_camera_whose_clock_is_an_hour_ahead_is_not_believed(rtsp_server: Server) -> None:
    server = rtsp_server()
    with Proxy(server.port, alter=lambda: OtherClock(wall_s=3600)) as proxy:
        reader = camera(server.url(port=proxy.port))
        with capture_logs() as lines:
            frames = []
            for frame in reader.frames():
                frames.append(frame)
                told = any("not believed" in line["event"] for line in lines)
                if (told and len(frames) > 30) or len(frames) > 300:
                    break
        reader.stop.set()
    assert [line["clock"] for line in lines if "3600 s ahead" in line["event"]] == ["arrival"]
    assert reader.clock == "arrival"
    steps = [b.captured_at - a.captured_at for a, b in pairwise(frames)]
    assert all(0 < step < LONG_S * 1e9 for step in steps)


def test_stamps_that_are_set_back_an_hour_end_nothing(rtsp_server: Server, tmp_path: Path) -> None:
    # Given a camera whose stamps are set back after some frames
    server, back = rtsp_server(clip=write_clip(tmp_path / "long.mp4", moving(90))), []
    with Proxy(server.port, alter=lambda: OtherClock(back=back)) as proxy:
        reader = camera(server.url(port=proxy.port))
        frames = []
        for frame in reader.frames():
            frames.append(frame)
            if len(frames) == 20:
                back.append(3600.0)
            if len(frames) == 60:
                break
        reader.stop.set()

    # I expect one opening, and a time that only grows
    assert len({frame.stream_epoch for frame in frames}) == 1
    assert all(0 <= b.seconds - a.seconds < 5 for a, b in pairwise(frames))
    assert all(a.captured_at < b.captured_at for a, b in pairwise(frames))
    assert frames[-1].seconds < LONG_S


@pytest.mark.parametrize(("codec", "script"), [("h264", simulator.SERVER), ("h265", CAMERAS)])
def test_only_key_frames_are_shown_where_that_is_wanted(
    codec: str, script: Path, rtsp_server: Server, tmp_path: Path, clip: Path
) -> None:
    if script == CAMERAS:
        clip = write_units(tmp_path / "units", codec, moving(30))
    reader = camera(rtsp_server(clip=clip, script=script).url(), keyframes_only=True)
    frames = list(islice(reader.frames(), 4))
    reader.stop.set()
    assert all(frame.video.key_frame for frame in frames)
    assert [round(b.seconds - a.seconds, 1) for a, b in pairwise(frames)] == [1.0] * 3
