"""Packets of a still picture wait, and nothing that moves is missed for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import pytest

from ingest.doze import DISTRUST_S, MOST_KEPT, Doze, Stillness
from ingest.faces.face import Picture
from ingest.motion import MotionGate
from ingest.packets import Packets, Patience
from tests.ingest.clips import FPS, video_frame

HEIGHT, WIDTH = 360, 640
STILL_S = 12


@dataclass
class Told:
    """What became known of a clip. shown: numbers of decoded frames; ticks: of others."""

    shown: list[int] = field(default_factory=list)
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


def written(path: Path, pictures: Iterator[Picture], *, key_s: int = 2, rate: int = 0) -> Path:
    options = {"preset": "veryfast", "bf": "0", "g": str(key_s * FPS), "sc_threshold": "0"}
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


def read(clip: Path, monkeypatch: pytest.MonkeyPatch, *, dozes: bool = True) -> Told:
    """As a camera's process does: each packet when it is due, every third frame looked at."""
    told, stillness, gate = Told(), Stillness(), MotionGate(8.0, [])
    with av.open(clip) as file:
        stream = file.streams.video[0]
        stream.codec_context.thread_count = 1
        doze = Doze(stillness, WIDTH * HEIGHT) if dozes else None
        packets = Packets(stream, Patience(), keyframes_only=False, live=True, doze=doze)
        began = time.monotonic()
        for number, packet in enumerate(file.demux(stream)):
            monkeypatch.setattr(time, "monotonic", lambda n=number: began + n / FPS)
            for shot in packets.shots(packet):
                if shot.video is None:
                    told.ticks.append(number)
                    continue
                told.shown.append(number)
                told.pictures[number] = shot.video.to_ndarray(format="rgb24")
                if number % 3 == 0:
                    gate.wants(shot.video, number / FPS)
                    stillness.note(gate.still)
    return told


def test_of_a_still_picture_key_frames_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, astronaut: Picture
) -> None:
    # Given twenty seconds in which nothing moves
    clip = written(tmp_path / "clip.ts", scene(astronaut, 20 * FPS, moves_from=10**9))

    # When it is read
    told = read(clip, monkeypatch)

    # Then nearly nothing but key frames is decoded from the sixth second on, and each is told of
    late = [number for number in told.shown if number >= 6 * FPS]
    assert len(late) <= 14 / 2 + 3
    assert {number for number in range(20 * FPS) if number % (2 * FPS) == 0} <= set(told.shown)
    assert sorted(told.shown + told.ticks) == list(range(20 * FPS))


@pytest.mark.parametrize("after", [0, 1, 7, 29])
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
    clip = written(tmp_path / "clip.ts", pictures, key_s=MOST_KEPT // FPS + 1)
    assert read(clip, monkeypatch).ticks == []


def packet_of(size: int, *, key: bool = False) -> av.Packet:
    packet = av.Packet(size)
    packet.is_keyframe = key
    return packet


def test_a_camera_whose_sizes_say_nothing_is_decoded_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given packets of one size whatever they show, and a key frame a second
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    stillness = Stillness()
    doze = Doze(stillness, 1920 * 1080)
    stillness.note(still=True)

    def kept(seconds: float) -> int:
        nonlocal now
        waited = 0
        for number in range(round(seconds * FPS)):
            now += 1 / FPS
            waited += doze.keeps(packet_of(500, key=number % FPS == 0))
        return waited

    assert kept(5) > FPS

    # When a key frame shows that somebody moves
    now += 1 / FPS
    assert not doze.keeps(packet_of(20_000, key=True))
    stillness.note(still=False)
    assert kept(1) == 0

    # Then none waits for minutes, though all is still again; and then some do
    stillness.note(still=True)
    assert kept(DISTRUST_S - 2) == 0
    assert kept(5) > 0
