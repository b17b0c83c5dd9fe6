"""What can't go to the queue yet waits in bounded memory."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable
from itertools import islice
from typing import Literal

import msgspec

from facetrail.wire import MOST_CHIPS, FaceChip, TrackEnded

#: What an item takes besides its pictures, in bytes, as Python keeps it.
CHIP_BYTES = 1_500
END_BYTES = 300

Item = FaceChip | TrackEnded
Track = tuple[int, int]  # its stream_epoch and number
#: Why a chip gave way, as `counters` in Redis and `cameras list` call it.
Reason = Literal["dropped_for_better", "dropped_outbox_full"]


class Outbox:
    """Items wait here in their order; when they can't, the worst chip of a track gives way.

    most_bytes: of what waits. most_of_track: chips of one track that wait while the queue is full,
    as many as settle its vote. The end of a track follows its chips and says how many of them
    were really handed out; without any it is left out too. dropped: chips that gave way since the
    start, by reason.
    """

    def __init__(self, most_bytes: int, *, most_of_track: int = MOST_CHIPS) -> None:
        self._changed = threading.Condition()
        self._most_bytes = most_bytes
        self._most_of_track = most_of_track
        self._bytes = 0
        self._first, self._next = 0, 0  # places in the order
        self._waiting: OrderedDict[int, Item] = OrderedDict()  # by their places
        self._chips: defaultdict[Track, dict[int, FaceChip]] = defaultdict(dict)  # of these
        self._ends: dict[Track, int] = {}  # of these, where in the order
        self._missing: Counter[Track] = Counter()
        self._held_back = False
        self.dropped: Counter[Reason] = Counter()

    def __len__(self) -> int:
        return len(self._waiting)

    def limit(self, most_bytes: int) -> None:
        """Other bounds of what waits."""
        with self._changed:
            self._most_bytes = most_bytes
            self._make_room(*self._chips)

    def put(self, items: Iterable[Item]) -> None:
        with self._changed:
            for item in items:
                self._add(self._next, item)
                self._next += 1
                self._make_room(_track(item))
            self._changed.notify()

    def take(self, timeout_s: float) -> list[Item]:
        """The oldest items, at most one message of them, waited for."""
        with self._changed:
            if not self._waiting:
                self._changed.wait(timeout_s)
            places = list(islice(self._waiting, MOST_CHIPS))
            return [self._honest(self._remove(place)) for place in places]

    def give_back(self, items: list[Item]) -> None:
        """Items that could not be sent; they are the oldest again."""
        with self._changed:
            for item in reversed(items):
                self._first -= 1
                self._add(self._first, item)
                self._waiting.move_to_end(self._first, last=False)
            self._make_room(*set(map(_track, items)))

    def hold_back(self, held_back: bool) -> None:
        """Says whether the queue is full: then only the best of each track wait."""
        with self._changed:
            self._held_back = held_back
            if held_back:
                self._make_room(*self._chips)

    def _add(self, place: int, item: Item) -> None:
        self._waiting[place] = item
        self._bytes += _weight(item)
        if isinstance(item, FaceChip):
            self._chips[_track(item)][place] = item
        else:
            self._ends[_track(item)] = place

    def _remove(self, place: int) -> Item:
        item = self._waiting.pop(place)
        self._bytes -= _weight(item)
        track = _track(item)
        if isinstance(item, TrackEnded):
            del self._ends[track]
            return item
        del self._chips[track][place]
        if not self._chips[track]:
            del self._chips[track]
        return item

    def _make_room(self, *tracks: Track) -> None:
        """Lets chips give way until what waits is within its bounds. tracks: those of new items."""
        for track in tracks:
            self._make_room_for(track)

    def _make_room_for(self, track: Track) -> None:
        while self._held_back and self._has_many(track):
            self._drop_worst(track)
        while self._bytes > self._most_bytes and self._chips:
            if self._has_many(track):
                self._drop_worst(track)
            else:
                self._drop_oldest()
        self._drop_needless_end(track)

    def _has_many(self, track: Track) -> bool:
        return len(self._chips.get(track, ())) > self._most_of_track

    def _drop_worst(self, track: Track) -> None:
        chips = self._chips[track]
        # Of equal ones the older: what is in sight now is worth more.
        worst = min(chips, key=lambda place: (chips[place].quality.score, place))
        self._drop(worst, "dropped_for_better")

    def _drop_oldest(self) -> None:
        place = next(p for p, item in self._waiting.items() if isinstance(item, FaceChip))
        self._drop(place, "dropped_outbox_full")

    def _drop(self, place: int, reason: Reason) -> None:
        track = _track(self._remove(place))
        self._missing[track] += 1
        self.dropped[reason] += 1
        self._drop_needless_end(track)

    def _drop_needless_end(self, track: Track) -> None:
        """An end of a track of which no worker has heard or will hear."""
        place = self._ends.get(track)
        if place is None:
            return
        end = self._waiting[place]
        if isinstance(end, TrackEnded) and end.chips_sent == self._missing[track]:
            self._remove(place)
            self._missing.pop(track, None)

    def _honest(self, item: Item) -> Item:
        """An end of a track with the dropped chips taken off."""
        if isinstance(item, FaceChip):
            return item
        missing = self._missing.pop(_track(item), 0)
        return msgspec.structs.replace(item, chips_sent=item.chips_sent - missing)


def _track(item: Item) -> Track:
    return item.stream_epoch, item.track


def _weight(item: Item) -> int:
    if isinstance(item, TrackEnded):
        return END_BYTES
    return len(item.jpeg) + len(item.context) + CHIP_BYTES
