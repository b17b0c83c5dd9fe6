"""What can't go yet waits in its order, in bounded memory, and nothing is lost in silence."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from facetrail.wire import MOST_CHIPS, FaceChip, TrackEnded
from ingest.saying.outbox import CHIP_BYTES, END_BYTES, Item, Outbox
from tests.ingest.wares import chip, ended


def room_for(chips: int, ends: int = 0, *, of_track: int = 5) -> Outbox:
    """An outbox for so many chips with pictures of 100 bytes."""
    return Outbox(chips * (CHIP_BYTES + 100) + ends * END_BYTES, most_of_track=of_track)


def one(track: int, number: int, score: float = 0.5, *, epoch: int = 1, size: int = 100) -> Item:
    return chip(track, number, size=size, epoch=epoch, score=score)


def numbers(items: list[Item]) -> list[int]:
    return [item.number for item in items if isinstance(item, FaceChip)]


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
    assert numbers(outbox.take(0)) == [1, 2, 3]


def test_while_the_queue_takes_all_no_chip_gives_way() -> None:
    outbox = room_for(30, of_track=3)
    outbox.put(one(1, number) for number in range(1, 21))
    assert numbers(outbox.take(0)) == list(range(1, 21))
    assert not outbox.dropped


def test_while_the_queue_is_full_a_better_chip_takes_the_place_of_its_tracks_worst() -> None:
    # Given a queue that takes nothing, and a track with as many chips as its vote needs
    outbox = room_for(30, of_track=3)
    outbox.hold_back(True)
    outbox.put([one(2, 1, 0.1), one(1, 1, 0.5), one(1, 2, 0.3), one(1, 3, 0.4)])

    # If a better and then a worse one come
    outbox.put([one(1, 4, 0.6), one(1, 5, 0.2), ended(1, 5)])

    # I expect the best to be left, in their order, and no other track to be touched
    assert outbox.take(0) == [
        one(2, 1, 0.1),
        one(1, 1, 0.5),
        one(1, 3, 0.4),
        one(1, 4, 0.6),
        ended(1, 3),
    ]
    assert outbox.dropped == {"dropped_for_better": 2}


def test_of_equally_good_chips_the_oldest_gives_way() -> None:
    outbox = room_for(30, of_track=2)
    outbox.hold_back(True)
    outbox.put(one(1, number) for number in (1, 2, 3))
    assert numbers(outbox.take(0)) == [2, 3]


def test_what_is_given_back_gives_way_to_better_ones_too() -> None:
    outbox = room_for(30, of_track=2)
    outbox.put([one(1, 1, 0.3), one(1, 2, 0.5)])
    taken = outbox.take(0)
    outbox.put([one(1, 3, 0.4)])
    outbox.hold_back(True)
    outbox.give_back(taken)
    assert numbers(outbox.take(0)) == [2, 3]


def test_a_queue_found_full_leaves_the_best_of_each_track() -> None:
    outbox = room_for(30, of_track=2)
    outbox.put([one(1, 1, 0.1), one(1, 2, 0.5), one(1, 3, 0.4), one(2, 1), ended(1, 3)])
    outbox.hold_back(True)
    assert outbox.take(0) == [one(1, 2, 0.5), one(1, 3, 0.4), one(2, 1), ended(1, 2)]


def test_when_memory_is_full_the_oldest_chip_goes_where_its_track_needs_all() -> None:
    outbox = room_for(3)
    outbox.put(one(track, 1) for track in range(1, 6))
    assert [item.track for item in outbox.take(0)] == [3, 4, 5]
    assert outbox.dropped == {"dropped_outbox_full": 2}


def test_when_memory_is_full_a_better_chip_replaces_one_of_a_track_with_many() -> None:
    outbox = room_for(4, of_track=2)
    outbox.put([one(1, 1), one(2, 1, 0.4), one(2, 2, 0.3), one(2, 3, 0.5), one(2, 4, 0.6)])
    assert outbox.take(0) == [one(1, 1), one(2, 1, 0.4), one(2, 3, 0.5), one(2, 4, 0.6)]
    assert outbox.dropped == {"dropped_for_better": 1}


def test_other_bounds_hold_for_what_waits_already() -> None:
    outbox = Outbox(1_000_000)
    outbox.put(chip(1, number) for number in range(1, 9))
    outbox.limit(4 * CHIP_BYTES)
    assert outbox.dropped["dropped_outbox_full"] >= 4
    assert [item.number for item in outbox.take(0)][-1] == 8  # type: ignore[union-attr]


def test_a_chip_that_never_fits_is_dropped_alone() -> None:
    outbox = room_for(2)
    outbox.put([chip(1, 1, size=10_000), one(2, 1), ended(1, 1)])
    assert outbox.take(0) == [one(2, 1)]
    assert outbox.dropped == {"dropped_outbox_full": 1}


def test_the_end_of_a_track_of_which_something_was_sent_tells_how_much() -> None:
    # Given three chips of a track of which the first has gone
    outbox = room_for(2, ends=2)
    outbox.put([one(1, 1)])
    outbox.take(0)
    outbox.put([one(1, 2), one(1, 3), ended(1, 3)])

    # If one of the two that wait must give way to another track's
    outbox.put([one(2, 1), ended(2, 1)])

    # I expect the ends to count what came out
    assert outbox.take(0) == [one(1, 3), ended(1, 2), one(2, 1), ended(2, 1)]


def test_the_end_of_a_track_of_which_nobody_heard_is_left_out() -> None:
    # Given a Redis that is away for so long that all chips of a thousand tracks give way
    outbox = room_for(2, ends=2)
    outbox.hold_back(True)
    for track in range(1, 1001):
        outbox.put([one(track, 1), ended(track, 1)])

    # I expect the ends of those to be gone, too, since memory is bounded
    assert outbox.take(0) == [one(999, 1), ended(999, 1), one(1000, 1), ended(1000, 1)]
    assert outbox.dropped == {"dropped_outbox_full": 998}


def test_tracks_of_another_opening_are_other_tracks() -> None:
    outbox = room_for(1, ends=2)
    outbox.put([one(1, 1, epoch=1), one(1, 1, epoch=2)])
    outbox.put([ended(1, 1, epoch=2), ended(1, 1, epoch=1)])
    assert outbox.take(0)[1:] == [ended(1, 1, epoch=2)]


STEPS = st.lists(
    st.tuples(
        st.integers(1, 3),  # the track
        st.integers(1, 4_000),  # bytes of a chip's picture
        st.floats(0, 1),  # its quality
        st.sampled_from(["", "take", "fail", "hold"]),
    ),
    max_size=60,
)


@given(STEPS)
def test_ends_are_honest_whatever_happens(steps: list[tuple[int, int, float, str]]) -> None:
    # Given tracks that send chips of any size while the queue takes something now and then
    most = 10_000
    outbox, out = Outbox(most, most_of_track=3), []
    sent = {1: 0, 2: 0, 3: 0}
    for track, size, score, then in steps:
        sent[track] += 1
        outbox.put([one(track, sent[track], score, size=size)])
        waiting = [item for item in outbox._waiting.values() if isinstance(item, FaceChip)]
        assert sum(len(item.jpeg) + CHIP_BYTES for item in waiting) == outbox._bytes <= most
        if then in ("take", "fail"):
            taken = outbox.take(0)
            outbox.hold_back(then == "fail")
            if then == "fail":
                outbox.give_back(taken)
            else:
                out += taken
        if then == "hold":
            outbox.hold_back(True)
    outbox.put(ended(track, number) for track, number in sent.items())
    while taken := outbox.take(0):
        out += taken

    # I expect each end to tell how many of its chips came out, in order, and none without any
    for track in sent:
        chips = numbers([item for item in out if item.track == track])
        ends = [i.chips_sent for i in out if isinstance(i, TrackEnded) and i.track == track]
        assert ends == ([len(chips)] if chips else [])
        assert chips == sorted(set(chips))
    came = sum(isinstance(item, FaceChip) for item in out)
    assert outbox.dropped.total() == sum(sent.values()) - came
    assert not (outbox._bytes or outbox._chips or outbox._ends or outbox._missing)


def test_items_are_waited_for() -> None:
    outbox = Outbox(10_000)
    threading.Timer(0.05, outbox.put, [[chip(1, 1)]]).start()
    assert outbox.take(10) == [chip(1, 1)]
