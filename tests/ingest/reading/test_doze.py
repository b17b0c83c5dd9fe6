"""Packets of a still picture wait, and nothing that moves is missed for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import pytest

from facetrail.errors import StreamLost
from ingest.faces.face import Picture
from ingest.motion import MotionGate
from ingest.reading.doze import DISTRUST_S, MOST_KEPT, MOST_UNCHECKED, Doze, Stillness
from ingest.reading.packets import Packets, Patience
from ingest.sample import Sampler
from tests.ingest.clips import FPS, video_frame

HEIGHT, WIDTH = 360, 640
STILL_S = 12


@dataclass
class Told:
    """Of a clip. shown: numbers of decoded frames; looked: of these compared; ticks: of others."""

    shown: list[int] = field(default_factory=list)
    looked: list[int] = field(default_factory=list)
    ticks: list[int] = field(default_factory=list)
    pictures: dict[int, Picture] = field(default_factory=dict)


def scene(portrait: Picture, count: int, *, moves_from: int) -> Iterator[Picture]:
    """Somebody stands there; then another comes in from the right."""
    room = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    figure = portrait[20:260, 110:350]
    room[100:340, 40:280] = figure
    for number in range(count):
        picture = room.copy()
        left = max(300, WIDTH - 12 * max(0, number - moves_from + 1))
        seen = figure[:, : WIDTH - left]
        picture[60:300, left : left + seen.shape[1]] = seen
        yield picture


def written(path: Path, pictures: Iterator[Picture], *, key: int = 2 * FPS, rate: int = 0) -> Path:
    options = {"preset": "veryfast", "bf": "0", "g": str(key), "sc_threshold": "0"}
    if rate:
        kbit = f"{rate}k"
        options |= {"b": kbit, "minrate": kbit, "maxrate": kbit, "bufsize": f"{rate // 4}k"}
        options |= {"nal-hrd": "cbr"}
    with av.open(path, "w", format="mpegts") as file:
        stream = file.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number, picture in enumerate(pictures):
            file.mux(stream.encode(video_frame(picture, number)))
        file.mux(stream.encode())
    return path


def read(
    clip: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    fps: float = FPS,
    dozes: bool = True,
    told: Told | None = None,
) -> Told:
    """As a camera's process does: each packet when it is due, five frames a second looked at."""
    told, stillness, gate = told or Told(), Stillness(), MotionGate(8.0, [])
    sampler = Sampler(5.0)
    with av.open(clip) as file:
        stream = file.streams.video[0]
        stream.codec_context.thread_count = 1
        doze = Doze(stillness, WIDTH * HEIGHT) if dozes else None
        packets = Packets(stream, Patience(), keyframes_only=False, live=True, doze=doze)
        began = time.monotonic()
        for number, packet in enumerate(file.demux(stream)):
            monkeypatch.setattr(time, "monotonic", lambda n=number: began + n / fps)
            for shot in packets.shots(packet):
                wanted = sampler.wants(number / fps)
                if shot.video is None:
                    told.ticks.append(number)
                    continue
                told.shown.append(number)
                told.pictures[number] = shot.video.to_ndarray(format="rgb24")
                if wanted:
                    told.looked.append(number)
                    gate.wants(shot.video, number / fps)
                    stillness.note(gate.still, time.monotonic())
    return told


def test_of_a_still_picture_key_frames_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, astronaut: Picture
) -> None:
    # Given twenty seconds in which nothing moves
    clip = written(tmp_path / "clip.ts", scene(astronaut, 20 * FPS, moves_from=10**9))

    # When it is read
    told = read(clip, monkeypatch)

    # Then little but key frames is decoded from the sixth second on, and each is told of
    late = [number for number in told.shown if number >= 6 * FPS]
    assert len(late) <= 4 * 14 / 2
    assert {number for number in range(20 * FPS) if number % (2 * FPS) == 0} <= set(told.shown)
    assert sorted(told.shown + told.ticks) == list(range(20 * FPS))


@pytest.mark.parametrize("after", [0, 7])
def test_who_comes_in_is_seen_at_once_and_whole(
    after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, astronaut: Picture
) -> None:
    # Given somebody who comes in between two key frames
    begins = STILL_S * FPS + after
    clip = written(tmp_path / "clip.ts", scene(astronaut, begins + 2 * FPS, moves_from=begins))

    # When it is read with and without waiting
    told, whole = read(clip, monkeypatch), read(clip, monkeypatch, dozes=False)

    # Then packets did wait, all from the first with movement are decoded, and are the same
    assert len(told.ticks) > 3 * FPS
    assert not [number for number in told.ticks if number >= begins]
    assert all(np.array_equal(told.pictures[n], whole.pictures[n]) for n in told.shown)


def test_an_encoder_that_fills_up_to_a_rate_is_decoded_always(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, astronaut: Picture
) -> None:
    pictures = scene(astronaut, STILL_S * FPS, moves_from=10**9)
    assert read(written(tmp_path / "clip.ts", pictures, rate=1500), monkeypatch).ticks == []


def test_key_frames_too_far_apart_are_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, astronaut: Picture
) -> None:
    pictures = scene(astronaut, 20 * FPS, moves_from=10**9)
    clip = written(tmp_path / "clip.ts", pictures, key=MOST_KEPT + 2)
    assert read(clip, monkeypatch).ticks == []


@pytest.mark.parametrize(("fps", "key"), [(29.97, 60), (14.99, 30)])
def test_soon_after_each_key_frame_one_is_looked_at(
    fps: float, key: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, astronaut: Picture
) -> None:
    # Given a rate that is no multiple of that of the looks
    clip = written(tmp_path / "c.ts", scene(astronaut, 20 * 30, moves_from=10**9), key=key)
    told = read(clip, monkeypatch, fps=fps)
    assert len(told.ticks) > 200
    for number in range(0, 20 * 30 - key, key):
        assert any(number <= one <= number + 0.3 * fps for one in told.looked), number


def test_a_single_large_packet_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, astronaut: Picture
) -> None:
    # Given somebody who is there from one frame to the next, which is not one that is due
    begins = STILL_S * FPS + 8

    def pictures() -> Iterator[Picture]:
        there = list(scene(astronaut, 41, moves_from=0))[-1]
        for number, picture in enumerate(scene(astronaut, begins + 2 * FPS, moves_from=10**9)):
            yield there if number >= begins else picture

    told = read(written(tmp_path / "clip.ts", pictures()), monkeypatch)
    assert any(begins <= number <= begins + 3 for number in told.looked)


def test_a_stream_that_is_spoilt_while_packets_wait_is_lost_as_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, astronaut: Picture
) -> None:
    # Given a still picture whose packets can't be decoded any more from some time on
    clip = written(tmp_path / "clip.ts", scene(astronaut, 40 * FPS, moves_from=10**9))
    decode = Packets._frames
    monkeypatch.setattr(
        Packets,
        "_frames",
        lambda self, packet: decode(self, packet) if packet.pts / 90_000 < 16 else [],
    )
    told = Told()
    with pytest.raises(StreamLost):
        read(clip, monkeypatch, told=told)
    assert told.ticks
    assert max(told.shown + told.ticks) < (16 + 10) * FPS


def packet_of(size: int, *, key: bool = False) -> av.Packet:
    packet = av.Packet(size)
    packet.is_keyframe = key
    return packet


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> SizesOnly:
    return SizesOnly(monkeypatch)


class SizesOnly:
    """A camera of which only the sizes of packets are known, with a key frame a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        self.stillness = Stillness()
        self.doze = Doze(self.stillness, 1920 * 1080)
        self.still = True

    def waited(self, seconds: float, size: int = 500) -> int:
        """How many packets waited of those of so many seconds; every third frame is looked at."""
        waited = 0
        for number in range(round(seconds * FPS)):
            self.now += 1 / FPS
            waits = self.doze.keeps(packet_of(size, key=number % FPS == 0))
            self.doze.made_up() if not waits else None
            waited += waits
            if not waits and number % 3 == 0:
                self.stillness.note(self.still, self.now)
        return waited


def test_a_camera_whose_sizes_say_nothing_is_decoded_for_a_while(camera: SizesOnly) -> None:
    # Given packets of one size whatever they show
    camera.waited(5)
    assert camera.waited(5) > 2 * FPS

    # When a key frame shows that somebody moves
    camera.still = False
    assert camera.waited(2) == 0

    # Then none waits for minutes, though all is still again; and then some do
    camera.still = True
    assert camera.waited(DISTRUST_S - 10) == 0
    camera.waited(12)
    assert camera.waited(5) > FPS


def test_a_camera_whose_sizes_tell_is_trusted_on(camera: SizesOnly) -> None:
    camera.waited(10)
    camera.still = False
    assert camera.waited(3, size=5000) == 0
    camera.still = True
    camera.waited(3)
    assert camera.waited(5) > 2 * FPS


def test_nothing_is_learned_of_what_nobody_looked_at(camera: SizesOnly) -> None:
    # Given packets of which some are large, and nobody who looks
    camera.waited(10)
    camera.stillness.note(False, camera.now)
    for _ in range(1000):
        camera.now += 1 / FPS
        assert not camera.doze.keeps(packet_of(5000))
    assert len(camera.doze._unchecked) <= MOST_UNCHECKED

    # I expect large ones not to wait afterwards
    camera.waited(5)
    assert camera.waited(0.9, size=5000) == 0
