from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest

from examples.scene import FPS, SCENES, encode
from examples.simulator import PYTHON, SERVER, NoRtspServer, Simulator
from facetrail.children import is_running

Server = type[Simulator]
#: Pictures of the clip: three seconds.
FRAMES = 3 * FPS
PASSWORD = "p@ss:w/rd%"


class Watched(NamedTuple):
    """Frames that came, their times in the stream, and how long it all took."""

    frames: list[av.VideoFrame]
    took_s: float

    @property
    def times(self) -> list[float]:
        """Seconds; FFmpeg gives none to the first frame of an RTSP stream."""
        return [frame.time for frame in self.frames if frame.time is not None]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    path = tmp_path_factory.mktemp("short") / "lobby.mp4"
    encode(islice(SCENES[0].frames(), FRAMES), path)
    return {"lobby": path}


def watch(url: str, count: int | None = None) -> Watched:
    started = time.monotonic()
    with av.open(url, options={"rtsp_transport": "tcp"}, timeout=10) as stream:
        frames = list(islice(stream.decode(video=0), count))
    return Watched(frames, time.monotonic() - started)


def test_once_gives_every_frame_at_its_own_pace_and_then_the_end(
    rtsp_server: Server, clips: dict[str, Path], tmp_path: Path
) -> None:
    # Given two clients that come one after the other
    with (
        rtsp_server(clips, once=True, log=tmp_path / "log") as server,
        ThreadPoolExecutor() as pool,
    ):
        first = pool.submit(watch, server.url("lobby"))
        time.sleep(1.0)
        second = pool.submit(watch, server.url("lobby"))

        # I expect the whole clip for each of them
        for seen in (first.result(), second.result()):
            assert len(seen.frames) == FRAMES
            assert not any(frame.is_corrupt for frame in seen.frames)
            assert np.diff(seen.times) == pytest.approx(1 / FPS, abs=0.001)
            assert seen.times[0] < 2 / FPS
            assert 2.5 < seen.took_s < 7


def test_a_live_picture_goes_on_for_ever_and_is_shared(
    rtsp_server: Server, clips: dict[str, Path], tmp_path: Path
) -> None:
    with rtsp_server(clips, log=tmp_path / "log") as server, ThreadPoolExecutor() as pool:
        first = pool.submit(watch, server.url("lobby"), 3 * FRAMES)
        time.sleep(2.5)
        late = watch(server.url("lobby"), FPS)
        seen = first.result()

    assert len(seen.frames) == 3 * FRAMES
    assert not any(frame.is_corrupt for frame in seen.frames)
    assert np.diff(seen.times) == pytest.approx(1 / FPS, abs=0.001)  # no seam
    assert late.times[0] > 1.5  # where the first one was, not the start


def test_clips_with_frames_out_of_order_and_slices_arrive_whole(
    rtsp_server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "clip.mp4"
    with av.open(path, "w") as file:
        stream = file.add_stream("libx264", rate=30, options={"bf": "3", "slices": "4"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        noise = np.random.default_rng(0).integers(0, 255, (240, 400, 3), np.uint8)
        for number in range(60):
            picture = np.ascontiguousarray(noise[:, number : number + 320])
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        file.mux(stream.encode())

    with rtsp_server({"clip": path}, once=True, log=tmp_path / "log") as server:
        seen = watch(server.url("clip"))

    assert len(seen.frames) == 60
    assert (np.diff(seen.times) > 0).all()


def test_the_password_may_have_any_character_and_must_be_right(
    rtsp_server: Server, clips: dict[str, Path], tmp_path: Path
) -> None:
    with rtsp_server(clips, log=tmp_path / "log", user="viewer", password=PASSWORD) as server:
        url = server.url("lobby")
        assert "viewer:p%40ss%3Aw%2Frd%25@" in url
        assert len(watch(url, 2).frames) == 2
        for wrong in (url.replace("rd%25", "rd"), url.replace("viewer", "other")):
            with pytest.raises(av.error.HTTPUnauthorizedError):
                watch(wrong, 1)
    assert PASSWORD not in (tmp_path / "log").read_text()


def test_a_file_that_is_no_clip_is_named(rtsp_server: Server, tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("not a clip")
    with pytest.raises(NoRtspServer), rtsp_server({"notes": path}, log=tmp_path / "log"):
        pass
    assert (tmp_path / "log").read_text() == (
        f"{path} can't be served: expected an MP4 file with H.264 video\n"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_asked(
    rtsp_server: Server, clips: dict[str, Path], number: signal.Signals
) -> None:
    command = [PYTHON, str(SERVER), f"lobby={clips['lobby']}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready rtsp://127.0.0.1:")
        process.send_signal(number)
        assert process.wait(5) == 0


def test_it_ends_with_its_parent(
    rtsp_server: Server, clips: dict[str, Path], wait_for: Callable[..., None]
) -> None:
    # Given a parent that is killed, and so can't end its child
    command = [PYTHON, str(SERVER), "--exit-with-parent", f"lobby={clips['lobby']}"]
    code = (
        f"import subprocess; child = subprocess.Popen({command!r}, stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print(child.pid, flush=True); child.wait()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()

    wait_for(lambda: not is_running(child), timeout_s=5)
