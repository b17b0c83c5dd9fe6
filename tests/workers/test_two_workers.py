"""Two workers share a queue, and either may be stopped without a lost match."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from facetrail.queue_state import in_hand
from facetrail.wire import FaceChip, TrackEnded
from tests.workers.conftest import CONFIRM, Site, ended, name_of, seen, workers_of
from workers.vote import ORPHAN_S

TRACKS, CHIPS, SECONDS = 40, 5, 4.0
Sent = list[tuple[float, int, int, str]]


def schedule(names: list[str]) -> Sent:
    """When (in seconds) which track sends its chip of that number (0: its end), and of whom."""
    dice = random.Random(0)
    sent = []
    for track in range(1, TRACKS + 1):
        name, begins = dice.choice(names), dice.uniform(0, SECONDS - 1)
        sent += [(begins + number / 5, track, number, name) for number in range(1, CHIPS + 1)]
        sent.append((begins + (CHIPS + 0.5) / 5, track, 0, name))
    return sorted(sent)


def item(face: bytes, track: int, number: int) -> FaceChip | TrackEnded:
    if number == 0:
        return ended(CHIPS, track=track, ended_at=time.time_ns())
    return seen(face, number, track=track)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["asked", "killed"])
def test_either_of_two_may_be_stopped_without_a_lost_match(
    how: signal.Signals, site: Site, faces: dict[str, bytes], wait_for: Callable[..., None]
) -> None:
    # Given two workers on one queue, and forty appearances of people they know
    workers = [site.start_worker(), site.start_worker()]
    wait_for(lambda: all(map(site.is_ready, workers)), timeout_s=60)
    sent = schedule(list(faces))
    names = {track: name for _, track, _, name in sent}

    # If one is stopped in the middle
    began, stopped = time.monotonic(), False
    for at, track, number, name in sent:
        wait_for(lambda at=at: time.monotonic() - began >= at)
        if at > SECONDS / 2 and number and not stopped:
            workers[0].send_signal(how)
            stopped = True
        site.send(item(faces[name], track, number))

    # I expect each to enter and to leave once, whichever worker had them
    def exits() -> int:
        return len([event for event in site.events("lobby") if event.type == "person_exit"])

    wait_for(lambda: exits() >= TRACKS, timeout_s=ORPHAN_S + 10)
    events = site.events("lobby")
    assert CHIPS > CONFIRM
    assert {e.track: e.person and e.person.name for e in events} == names
    assert set(Counter((e.track, e.type) for e in events).values()) == {1}
    assert Counter(e.type for e in events) == {"person_enter": TRACKS, "person_exit": TRACKS}
    assert workers_of(events) == {name_of(worker) for worker in workers}
    if how == signal.SIGTERM:
        assert workers[0].wait(10) == 0
        wait_for(lambda: not in_hand(site.client, site.keys), timeout_s=4)
