"""What can't go yet waits in its order, in bounded memory, and nothing is lost in silence."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from facetrail.wire import MOST_CHIPS, FaceChip, TrackEnded
from ingest.outbox import Outbox
from tests.ingest.wares import chip, ended


def test_items_come_out_in_their_order() -> None:
    outbox = Outbox(1_000_000)
    items = [chip(1, 1), chip(2, 1), ended(1, 1), chip(2, 2)]
    outbox.put(items)
    assert outbox.take(0) == items
    assert outbox.take(0) == []


def test_no_more_is_taken_than_one_message_holds() -> None:
    outbox = Outbox(1_000_000)
    outbox.put(chip(1, number) for number in range(1, 71))
    assert [len(outbox.take(0)) for _ in range(4)] == [MOST_CHIPS, MOST_CHIPS, 6, 0]


def test_what_is_given_back_comes_first() -> None:
    outbox = Outbox(1_000_000)
    outbox.put([chip(1, 1), chip(1, 2)])
    taken = outbox.take(0)
    outbox.put([chip(1, 3)])
    outbox.give_back(taken)
    assert [item.number for item in outbox.take(0)] == [1, 2, 3]  # type: ignore[union-attr]


def test_the_oldest_chip_is_dropped_and_counted_when_memory_is_full() -> None:
    outbox = Outbox(1000)
    outbox.put(chip(1, number, size=300) for number in range(1, 6))
    assert [item.number for item in outbox.take(0)] == [3, 4, 5]  # type: ignore[union-attr]
    assert outbox.dropped == 2


def test_a_chip_that_never_fits_is_dropped_alone() -> None:
    outbox = Outbox(1000)
    outbox.put([chip(1, 1, size=2000), ended(1, 1)])
    assert outbox.take(0) == [ended(1, 0)]
    assert outbox.dropped == 1


def test_the_end_of_a_track_is_never_dropped_and_tells_what_was_sent() -> None:
    # Given three chips of a track of which the first has gone
    outbox = Outbox(700)
    outbox.put([chip(1, 1, size=300)])
    outbox.take(0)
    outbox.put([chip(1, 2, size=300), chip(1, 3, size=300), ended(1, 3), chip(2, 1, size=300)])

    # If one of the two that wait must give way, and so must one of another track with that number
    outbox.put([ended(2, 1)])

    # I expect the ends to count what came out
    assert outbox.take(0) == [chip(1, 3, size=300), ended(1, 2), chip(2, 1, size=300), ended(2, 1)]


def test_tracks_of_another_opening_are_other_tracks() -> None:
    outbox = Outbox(500)
    outbox.put([chip(1, 1, size=400, epoch=1), chip(1, 1, size=400, epoch=2)])
    outbox.put([ended(1, 1, epoch=2), ended(1, 1, epoch=1)])
    assert outbox.take(0)[1:] == [ended(1, 1, epoch=2), ended(1, 0, epoch=1)]


def test_what_was_given_back_may_be_dropped_too() -> None:
    outbox = Outbox(1000)
    outbox.put([chip(1, 1, size=400), chip(1, 2, size=400), ended(1, 2)])
    outbox.give_back(outbox.take(0))
    outbox.put([chip(2, 1, size=900)])
    assert outbox.take(0) == [ended(1, 0), chip(2, 1, size=900)]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 400), st.booleans()), max_size=60))
def test_ends_are_honest_whatever_happens(steps: list[tuple[int, int, bool]]) -> None:
    # Given tracks that send chips of any size while the queue takes something now and then
    outbox, out = Outbox(1000), []
    numbers = {1: 0, 2: 0, 3: 0}
    for track, size, takes in steps:
        numbers[track] += 1
        outbox.put([chip(track, numbers[track], size=size)])
        assert sum(len(item.jpeg) for item in outbox._waiting) <= 1000  # type: ignore[union-attr]
        if takes:
            taken = outbox.take(0)
            if size % 2:
                outbox.give_back(taken)
            else:
                out += taken
    outbox.put(ended(track, number) for track, number in numbers.items())
    while taken := outbox.take(0):
        out += taken

    # I expect each end to tell how many of its chips came out, in order
    for track in numbers:
        chips = [i.number for i in out if isinstance(i, FaceChip) and i.track == track]
        (end,) = [i for i in out if isinstance(i, TrackEnded) and i.track == track]
        assert end.chips_sent == len(chips)
        assert chips == sorted(set(chips))
    assert outbox.dropped == sum(numbers.values()) - sum(isinstance(i, FaceChip) for i in out)


def test_items_are_waited_for() -> None:
    outbox = Outbox(1000)
    threading.Timer(0.05, outbox.put, [[chip(1, 1)]]).start()
    assert outbox.take(10) == [chip(1, 1)]
