"""Which frames are looked at, and by which clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sample import MOST_STEP_S, Sampler, StreamClock


def taken(times: list[float], fps: float) -> list[float]:
    sampler = Sampler(fps)
    return [seconds for seconds in times if sampler.wants(seconds)]


@pytest.mark.parametrize("stream_fps", [10, 15, 25, 30, 60])
def test_five_frames_a_second_are_taken_evenly(stream_fps: int) -> None:
    times = [0.7 + i / stream_fps for i in range(stream_fps * 10)]
    gaps = [b - a for a, b in zip(taken(times, 5)[:-1], taken(times, 5)[1:], strict=True)]
    assert 49 <= len(gaps) + 1 <= 51
    assert all(abs(gap - 0.2) <= 0.51 / stream_fps for gap in gaps)


@pytest.mark.parametrize("stream_fps", [6, 8, 12, 24, 29.97, 59.94])
def test_the_nearest_frame_is_taken_where_none_is_due(stream_fps: float) -> None:
    times = [i / stream_fps for i in range(round(stream_fps * 60))]
    found = taken(times, 5)
    assert 299 <= len(found) <= 301
    assert all(abs(seconds - i / 5) <= 0.6 / stream_fps for i, seconds in enumerate(found))


def test_every_frame_of_a_slower_stream_is_taken() -> None:
    times = [i / 4 for i in range(40)]
    assert taken(times, 5) == times


def test_every_frame_of_a_stream_as_fast_is_taken_though_it_jitters() -> None:
    times = [i / 5 + (0.04 if i % 2 else -0.04) for i in range(1, 100)]
    assert taken(times, 5)[-90:] == times[-90:]


def test_there_is_no_burst_after_a_gap() -> None:
    times = [i / 25 for i in range(50)] + [60 + i / 25 for i in range(50)]
    after = [seconds for seconds in taken(times, 5) if seconds >= 60]
    assert after[0] == 60
    assert len(after) == 10


@given(st.lists(st.floats(0, 20), max_size=300), st.floats(0.2, 60))
def test_never_more_than_the_rate(times: list[float], fps: float) -> None:
    found = taken(sorted(times), fps)
    for begin in range(0, 20, 4):
        within = [seconds for seconds in found if begin <= seconds < begin + 4]
        assert len(within) <= 4 * fps + 2


def seconds_of(stamps: list[tuple[float | None, float]]) -> list[float]:
    clock = StreamClock()
    return [round(clock.seconds(stamp, arrived), 6) for stamp, arrived in stamps]


def test_the_streams_own_stamps_count_however_packets_arrive() -> None:
    assert seconds_of([(100.0, 5.0), (100.1, 5.5), (100.2, 5.5), (100.3, 5.5)]) == [
        0, 0.1, 0.2, 0.3,
    ]  # fmt: skip


def test_without_stamps_the_arrival_counts() -> None:
    assert seconds_of([(None, 5.0), (None, 5.2), (None, 5.3)]) == [0, 0.2, 0.3]


def test_a_stamp_that_is_missing_once_changes_nothing() -> None:
    assert seconds_of([(1.0, 5.0), (1.1, 5.1), (None, 5.2), (1.3, 5.3), (1.4, 5.4)]) == [
        0, 0.1, 0.2, 0.3, 0.4,
    ]  # fmt: skip


@pytest.mark.parametrize("jump", [-50.0, -0.15, MOST_STEP_S + 0.1, 95_443.7])
def test_stamps_that_jump_are_bridged_by_the_arrival(jump: float) -> None:
    stamps = [(100.0, 5.0), (100.1, 5.1), (100.2 + jump, 5.2), (100.3 + jump, 5.3)]
    assert seconds_of(list(stamps)) == [0, 0.1, 0.2, 0.3]


def test_a_pause_in_the_stream_is_kept() -> None:
    assert seconds_of([(1.0, 5.0), (9.0, 13.0)]) == [0, 8.0]


@given(st.lists(st.tuples(st.none() | st.floats(-1e6, 1e6), st.floats(0, 1e6))))
def test_time_never_goes_back(stamps: list[tuple[float | None, float]]) -> None:
    found = seconds_of(stamps)
    assert found == sorted(found)
