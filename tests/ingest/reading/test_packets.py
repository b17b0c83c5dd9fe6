"""Packets become frames, but for those that come too late."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from structlog.testing import capture_logs

from ingest.reading.packets import MOST_HELD, Packets, Patience
from tests.ingest.clips import FPS, moving, write_clip

Numbers = Callable[..., list[int]]
LENGTH = 6 * FPS  # six key frames


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("packets") / "clip.mp4", moving(LENGTH))


@pytest.fixture
def shown(long_clip: Path, monkeypatch: pytest.MonkeyPatch) -> Numbers:
    """`shown(delay)` are the frames shown of a stream whose packets come so late, in seconds."""

    def numbers(delay: Callable[[int], float], *, live: bool = True) -> list[int]:
        found = []
        with av.open(long_clip) as file:
            stream = file.streams.video[0]
            stream.codec_context.thread_count = 1
            packets = Packets(stream, Patience(), keyframes_only=False, live=live)
            began = time.monotonic()
            for number, packet in enumerate(file.demux(stream)):
                at = began + number / FPS + delay(number)
                monkeypatch.setattr(time, "monotonic", lambda at=at: at)
                found += [round((shot.video.time or 0.0) * FPS) for shot in packets.shots(packet)]
        return found

    return numbers


def test_all_are_shown_that_come_in_time(shown: Numbers) -> None:
    assert shown(lambda number: 0.0) == list(range(LENGTH))


def test_after_late_ones_it_goes_on_with_a_key_frame(shown: Numbers) -> None:
    # Given five packets that come three seconds late, in the middle between two key frames
    with capture_logs() as lines:
        found = shown(lambda number: 3.0 if 20 <= number < 25 else 0.0)

    # I expect what needs them to be left out, and that to be said once
    assert found == [*range(20), *range(30, LENGTH)]
    assert [line["log_level"] for line in lines] == ["warning"]


def test_who_stays_late_sees_key_frames_only(shown: Numbers) -> None:
    assert shown(lambda number: 2.5 if number >= 20 else 0.0) == [
        *range(20),
        *range(30, LENGTH, FPS),
    ]


def test_a_file_is_never_late(shown: Numbers) -> None:
    assert shown(lambda number: 3.0 if number >= 20 else 0.0, live=False) == list(range(LENGTH))


def test_a_decoder_that_shows_nothing_of_many_packets_works_in_vain(long_clip: Path) -> None:
    with av.open(long_clip) as file, av.open(long_clip) as other:
        packets = Packets(file.streams.video[0], Patience(), keyframes_only=False, live=False)
        given = 0
        # A decoder that never got its key frame.
        for packet in [one for one in other.demux(video=0) if one.size and not one.is_keyframe]:
            assert packets.in_vain == (given > MOST_HELD)
            assert list(packets.shots(packet)) == []
            given += 1
    assert packets.in_vain
