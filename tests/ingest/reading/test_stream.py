"""One opening of an address: its frames in time, or the reason why there are none."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from facetrail.errors import StreamLost
from ingest.reading.paced import USUAL_STEP_S
from ingest.reading.packets import Patience
from ingest.reading.stream import Reading, open_stream
from tests.ingest.clips import HEIGHT, WIDTH, moving, video_frame, write_clip, write_sound
from tests.ingest.conftest import Pauses

SECRET = "rtsp://viewer:hunter2@127.0.0.1"


def refusal(address: str, patience: Patience | None = None) -> str:
    with pytest.raises(StreamLost) as caught:
        list(open_stream(address, threading.Event(), Reading(patience=patience or Patience())))
    assert "hunter2" not in str(caught.value) and address not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__ is (
        caught.value.__context__ is not None
    )
    return str(caught.value)


def test_a_file_waits_for_each_frame_and_after_the_last(clip: Path) -> None:
    pauses = Pauses(most=1000)
    frames = list(open_stream(str(clip), pauses))
    assert len(frames) == 30
    assert (frames[0].video.width, frames[0].video.height) == (WIDTH, HEIGHT)
    # Nobody waited, so each frame was waited for from the beginning
    assert pauses.taken == pytest.approx([i / 15 for i in range(31)], abs=0.3)
    assert pauses.taken[-1] > 1.5


def test_a_stop_ends_a_file_at_once(clip: Path) -> None:
    assert len(list(open_stream(str(clip), Pauses(most=5)))) == 4


def test_a_file_whose_clock_starts_late_is_not_waited_for(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "recording.ts", moving(15), begins_s=3600)
    pauses = Pauses(most=1000)
    frames = list(open_stream(str(path), pauses))
    assert (frames[0].video.time or 0) > 3000
    assert max(pauses.taken) < 2


def test_a_file_without_a_clock_is_played_at_the_usual_rate(test_data: Path) -> None:
    pauses = Pauses(most=50)
    path = test_data / "videos" / "street_no_faces.h265"
    frames = list(open_stream(str(path), pauses))
    assert frames[0].video.time is None
    assert pauses.taken[-1] == pytest.approx(49 * USUAL_STEP_S, abs=1.0)


def test_words_in_a_file_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mkv", moving(5), title="HARMLESS")
    path.write_bytes(path.read_bytes().replace(b"HARMLESS", b"\xff\xfe\xc3\x28LESS"))
    assert len(list(open_stream(str(path), Pauses(most=1000)))) == 5


def test_a_packet_that_can_not_be_decoded_is_passed_over(tmp_path: Path, clip: Path) -> None:
    # Given a clip in which one frame in the middle is spoilt
    data = bytearray(clip.read_bytes())
    with av.open(clip) as file:
        packets = [packet for packet in file.demux(video=0) if packet.pos is not None]
    spoilt = packets[20]
    assert spoilt.pos is not None
    data[spoilt.pos + 4 : spoilt.pos + spoilt.size] = bytes(spoilt.size - 4)
    path = tmp_path / "spoilt.mp4"
    path.write_bytes(data)

    # I expect the others
    assert 25 <= len(list(open_stream(str(path), Pauses(most=1000)))) <= 30


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_key_frame_is_shown_at_once_where_only_they_are_wanted(
    codec: str, tmp_path: Path
) -> None:
    # Given a clip whose frames stand out of order, with a key frame each second
    quiet = (
        {"x265-params": "log-level=none:keyint=15:bframes=3:open-gop=0"}
        if codec == "libx265"
        else {}
    )
    path = tmp_path / "clip.mp4"
    with av.open(path, "w") as file:
        stream = file.add_stream(codec, rate=15, options={"bf": "3", "g": "15"} | quiet)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for number, picture in enumerate(moving(45)):
            file.mux(stream.encode(video_frame(picture, number)))
        file.mux(stream.encode())

    # I expect each key frame as soon as its packet is there, and no other
    read: list[int] = []
    shots = open_stream(
        str(path),
        Pauses(most=1000),
        Reading(keyframes_only=True),
        on_packet=lambda: read.append(1),
    )
    seen = [(shot.video.time, len(read)) for shot in shots]
    assert [time for time, _ in seen] == pytest.approx([0.0, 1.0, 2.0], abs=0.01)
    assert [count for _, count in seen] == [1, 16, 31]


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert refusal(str(tmp_path / "none.mp4")) == "No such file or directory"


@pytest.mark.parametrize("content", [b"", b"This is a text.\n" * 100, np.random.bytes(20_000)])
def test_what_is_no_video_is_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    assert refusal(str(path)) == "the file is no video, or a spoilt one"


def test_a_file_cut_short_is_told(tmp_path: Path, clip: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip.read_bytes()[:-1000])
    assert refusal(str(path)) == "the file is no video, or a spoilt one"


def test_sound_alone_is_told(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "sound.wav")
    assert refusal(str(path)) == "there is no picture in it, only other streams"


def test_a_refused_port_is_told(closed_port: int) -> None:
    assert refusal(f"{SECRET}:{closed_port}/s") == "Connection refused"


@pytest.mark.parametrize("address", [SECRET, "http://viewer:hunter2@127.0.0.1"])
def test_a_server_that_says_nothing_is_given_up(address: str, silent_port: int) -> None:
    began = time.monotonic()
    cause = refusal(f"{address}:{silent_port}/s", Patience(open_s=0.3, read_s=0.3))
    assert cause == "no answer within 0.3 s"
    assert time.monotonic() - began < 3


def test_a_webcam_that_is_not_there_is_told() -> None:
    assert refusal("webcam:97") == "No such file or directory"


def answering(port_ready: list[int], answer: Callable[[socket.socket], None]) -> threading.Thread:
    """A server for one client."""
    server = socket.create_server(("127.0.0.1", 0))
    port_ready.append(server.getsockname()[1])

    def serve() -> None:
        with server, server.accept()[0] as client:
            client.recv(65_536)
            answer(client)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def send_slowly(client: socket.socket, data: bytes, stop: threading.Event) -> None:
    """A little at a time, for ever, until the client goes."""
    try:
        while not stop.wait(0.002):
            client.sendall(data)
    except OSError:
        return


def test_a_camera_that_stops_within_a_picture_is_given_up(tmp_path: Path) -> None:
    # Given a server that sends half a stream and then nothing more
    path = write_clip(tmp_path / "clip.ts", moving(60))
    half, done = path.read_bytes()[: path.stat().st_size // 2], threading.Event()
    port: list[int] = []

    def answer(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n" + half)
        done.wait(10)

    thread = answering(port, answer)

    # I expect the pictures that came, and a reason
    address = f"http://127.0.0.1:{port[0]}/s"
    frames = open_stream(address, threading.Event(), Reading(patience=Patience(read_s=0.4)))
    assert len(list(islice(frames, 10))) == 10
    with pytest.raises(StreamLost, match="no answer within 0.4 s"):
        list(frames)
    done.set()
    thread.join()


def test_a_camera_that_sends_and_shows_nothing_is_given_up(tmp_path: Path) -> None:
    # Given a server that sends a stream and then one whose packets hold no picture
    data = write_clip(tmp_path / "clip.ts", moving(30)).read_bytes()
    empty = re.sub(rb"\x00\x00\x01[\x41\x61\x65\x67\x68]", b"\x00\x00\x01\x7e", data)
    stop = threading.Event()
    port: list[int] = []

    def answer(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n" + data)
        send_slowly(client, empty, stop)

    thread = answering(port, answer)

    # I expect its pictures, and an end
    frames = []
    address = f"http://127.0.0.1:{port[0]}/s"
    with pytest.raises(StreamLost, match="it sends, but no picture within 0.4 s|no answer"):
        patience = Patience(read_s=0.5, picture_s=0.4)
        for frame in open_stream(address, threading.Event(), Reading(patience=patience)):
            frames.append(frame)
    assert len(frames) >= 29
    stop.set()
    thread.join()
