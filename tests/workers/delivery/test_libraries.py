"""What Celery on Redis does not keep as it comes, and ours does: side by side."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.load_site import LoadSite
from benchmarks.stand_in import jpeg_of, marked
from facetrail.wire import Message
from tests.workers.conftest import seen
from workers.delivery.rejected import Rejected, rejected, retry

WaitFor = Callable[..., None]
CHIPS = 8
#: Longer than ours takes to give again what a dead worker had, as it is set by itself.
SECONDS = 7.0


class Beside:
    """A Redis, and workers of one library that write down what their encoder is given."""

    def __init__(self, folder: Path, library: str, wait_for: WaitFor) -> None:
        self.site = LoadSite(folder / "site")
        self.site.enrol_stand_ins(2)
        self._file = folder / "batches.jsonl"
        self._file.touch()
        self._library = library
        self._wait_for = wait_for
        self._tracks = count(1)

    def start(self, *options: str) -> None:
        command = ("tests.workers.delivery.beside", self._library, self.site.url, str(self._file))
        self.site.start_worker(*command, *options)

    def wait_until_ready(self, workers: int) -> None:
        """Of all that were ever started."""
        self._wait_for(lambda: len(self._noted("ready")) == workers, timeout_s=60)

    def send(self, per_message: Sequence[int]) -> None:
        """So many chips in each message, of a track of its own."""
        self.site.send(iter([message(chips, next(self._tracks)) for chips in per_message]))

    def batches(self) -> list[int]:
        """How many chips were in each that was begun."""
        return [chips for _, chips in self._noted("batch")]

    def kill_who_works(self) -> None:
        """The processes in which an encoder runs: workers, or those of their pools."""
        for process, _ in self._noted("batch"):
            os.kill(process, signal.SIGKILL)

    def recognised(self) -> int:
        return self.site.outcomes().get("recognised", 0)

    def log(self) -> str:
        return (self.site.folder / "workers.log").read_text()

    def set_aside(self) -> list[Rejected]:
        return list(rejected(self.site.client, self.site.keys))

    def in_hand(self) -> int:
        """Messages that are anywhere."""
        client, keys = self.site.client, self.site.keys
        held = client.keys(keys.held("*")) + client.hkeys(f"{keys.prefix}unacked")
        return len(held) + int(client.llen(keys.queue))

    def _noted(self, wanted: str) -> list[tuple[int, Any]]:
        lines = [json.loads(line) for line in self._file.read_text().splitlines()]
        return [(process, value) for what, process, value in lines if what == wanted]


BesideOf = Callable[[str], Beside]


def message(chips: int, track: int) -> bytes:
    picture = jpeg_of(marked(np.full((112, 112, 3), 100, np.uint8), 1))
    items = tuple(seen(picture, number, track=track) for number in range(1, chips + 1))
    return bytes(Message(items=items))


@pytest.fixture
def beside(tmp_path: Path, wait_for: WaitFor) -> Iterator[BesideOf]:
    """`beside("kombu")`"""
    made: list[Beside] = []

    def one(library: str) -> Beside:
        folder = tmp_path / library
        folder.mkdir()
        made.append(Beside(folder, library, wait_for))
        return made[-1]

    yield one
    for each in made:
        each.site.close()


def test_what_a_process_that_dies_had_begun_comes_again_within_seconds(
    beside: BesideOf, wait_for: WaitFor
) -> None:
    # Given a message that is worked at, by a worker that is set up no further
    kombu, batches, ours = every = beside("kombu"), beside("celery-batches"), beside("ours")
    for one in every:
        one.start("--sleep-ms", "8000")
    for one in every:
        one.wait_until_ready(1)
        one.send([CHIPS])
        wait_for(one.batches)

        # If the process that does so is killed, and there is another one
        one.kill_who_works()
        if one is not batches:  # whose pool starts another process
            one.site.workers.pop().wait()
            one.start()
    for one in (kombu, ours):
        one.wait_until_ready(2)

    # I expect it from ours, and of the others that it waits, by itself for an hour
    wait_for(lambda: ours.recognised() == CHIPS, timeout_s=20)
    time.sleep(SECONDS)
    for one in (kombu, batches):
        assert (one.batches(), one.recognised(), one.in_hand()) == ([CHIPS], 0, 1)


def test_work_that_takes_long_is_not_given_to_another(beside: BesideOf, wait_for: WaitFor) -> None:
    # Given two workers whose batch takes longer than a message of a dead one waits
    kombu, ours = both = beside("kombu"), beside("ours")
    for one in both:
        for _ in range(2):
            one.start("--sleep-ms", "32000", "--redelivers")
    for one in both:
        one.wait_until_ready(2)
        one.send([CHIPS])

    # I expect each chip to be encoded once by ours
    wait_for(lambda: len(kombu.batches()) > 1, timeout_s=20)
    kombu.kill_who_works()
    wait_for(lambda: ours.recognised() == CHIPS, timeout_s=30)
    assert ours.batches() == [CHIPS]
    assert not ours.site.client.exists(ours.site.keys.deaths)
    assert "come again" not in ours.log()


def test_work_that_has_come_to_a_halt_is_given_to_another(
    beside: BesideOf, wait_for: WaitFor
) -> None:
    # Given a living worker whose batch has lasted for longer than any does
    ours = beside("ours")
    ours.start("--sleep-ms", "200000", "--halt-s", "1", "--redelivers")
    ours.wait_until_ready(1)
    ours.send([CHIPS])
    wait_for(ours.batches)

    # I expect what it has to come again, and the worker to take neither that nor anything else
    client, keys = ours.site.client, ours.site.keys
    wait_for(lambda: client.llen(keys.queue) == 1)
    ours.send([1, 1])
    wait_for(lambda: client.llen(keys.queue) == 3 and not client.keys(keys.held("*")))
    assert client.hvals(keys.deaths) == [b"1"]

    # and another one to recognise all of it
    ours.start()
    wait_for(lambda: ours.recognised() == CHIPS + 2, timeout_s=20)
    ours.kill_who_works()


def test_a_batch_that_fails_is_not_lost(beside: BesideOf, wait_for: WaitFor) -> None:
    # Given a batch at which the encoder fails
    kombu, batches, ours = every = beside("kombu"), beside("celery-batches"), beside("ours")
    for one in every:
        one.start("--fails", "--wait-ms", "1000")
    for one in every:
        one.wait_until_ready(1)
        one.send([CHIPS])
        wait_for(one.batches)
        wait_for(lambda one=one: not one.in_hand())  # type: ignore[misc]

    # I expect of the others that its message is nowhere
    for one in (kombu, batches):
        assert (one.set_aside(), one.recognised()) == ([], 0)

    # and ours to keep it with the reason, and to recognise it when it is tried again
    (found,) = ours.set_aside()
    assert found.reason == "RuntimeError: out of memory on the GPU"
    retry(ours.site.client, ours.site.keys, ours.site.app, found)
    wait_for(lambda: ours.recognised() == CHIPS)


def test_a_batch_that_is_done_while_redis_is_full_is_counted_and_makes_room(
    beside: BesideOf, wait_for: WaitFor
) -> None:
    # Given messages that are worked at
    batches, ours = both = beside("celery-batches"), beside("ours")
    for one in both:
        one.start("--sleep-ms", "12000", "--wait-ms", "1000")
    for one in both:
        one.wait_until_ready(1)
    for one in both:
        one.send([CHIPS // 2, CHIPS // 2])
    for one in both:
        wait_for(lambda one=one: sum(one.batches()) == CHIPS)  # type: ignore[misc]

    # If Redis is full when they are done
    for one in both:
        one.site.client.config_set("maxmemory", 1)

    # I expect ours to be counted, and to be in Redis no more
    wait_for(lambda: ours.recognised() == CHIPS)
    wait_for(lambda: not ours.in_hand())

    # and the others, even when there is room again, to wait for an hour
    wait_for(lambda: "unacked_index" in batches.log())  # what it could not acknowledge
    batches.site.client.config_set("maxmemory", 0)
    time.sleep(1)
    assert (batches.recognised(), batches.in_hand()) == (0, 2)


def test_a_batch_fills_from_all_that_waits(beside: BesideOf, wait_for: WaitFor) -> None:
    # Given more messages of one chip than a batch holds, and a worker with a pool as it comes
    batches, ours = both = beside("celery-batches"), beside("ours")
    for one in both:
        one.send([1] * 64)
        one.start("--wait-ms", "1000")
    for one in both:
        wait_for(lambda one=one: len(one.batches()) >= 2, timeout_s=30)  # type: ignore[misc]
    assert max(ours.batches()) == 32
    assert max(batches.batches()) == 4  # what Celery prefetches
