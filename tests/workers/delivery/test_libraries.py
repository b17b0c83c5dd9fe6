"""What Celery on Redis does not keep as it comes, and ours does: each test runs on both."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
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
LIBRARIES = ("kombu", "celery-batches", "ours")
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

    def start(self, *options: str) -> None:
        """A worker, which is ready."""
        before = len(self._noted("ready"))
        command = ("tests.workers.delivery.beside", self._library, self.site.url, str(self._file))
        self.site.start_worker(*command, *options)
        self._wait_for(lambda: len(self._noted("ready")) > before, timeout_s=60)

    def send(self, per_message: Sequence[int]) -> None:
        """So many chips in each message."""
        self.site.send(iter([message(chips, track) for track, chips in enumerate(per_message, 1)]))

    def batches(self) -> list[int]:
        """How many chips were in each that was begun."""
        return [chips for _, chips in self._noted("batch")]

    def kill_who_works(self) -> None:
        """The processes in which an encoder runs: workers, or those of their pools."""
        for process, _ in self._noted("batch"):
            os.kill(process, signal.SIGKILL)

    def recognised(self) -> int:
        return self.site.outcomes().get("recognised", 0)

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


def message(chips: int, track: int) -> bytes:
    picture = jpeg_of(marked(np.full((112, 112, 3), 100, np.uint8), 1))
    items = tuple(seen(picture, number, track=track) for number in range(1, chips + 1))
    return bytes(Message(items=items))


@pytest.fixture
def beside(tmp_path: Path, library: str, wait_for: WaitFor) -> Iterator[Beside]:
    made = Beside(tmp_path, library, wait_for)
    yield made
    made.site.close()


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_a_process_that_dies_had_begun_comes_again_within_seconds(
    library: str, beside: Beside, wait_for: WaitFor
) -> None:
    # Given a message that is worked at, by a worker that is set up no further
    beside.start("--sleep-ms", "4000")
    beside.send([CHIPS])
    wait_for(beside.batches)

    # If the process that does so is killed, and there is another one
    beside.kill_who_works()
    if library != "celery-batches":  # whose pool starts another process
        beside.site.workers.pop().wait()
        beside.start()

    if library == "ours":
        wait_for(lambda: beside.recognised() == CHIPS, timeout_s=20)
    else:
        # I expect of the others that it waits, by itself for an hour
        time.sleep(SECONDS)
        assert (beside.batches(), beside.recognised()) == ([CHIPS], 0)
        assert beside.in_hand() == 1


@pytest.mark.parametrize("library", ["kombu", "ours"])
def test_work_that_takes_long_is_not_given_to_another(
    library: str, beside: Beside, wait_for: WaitFor
) -> None:
    # Given two workers whose batch takes longer than a message of a dead one waits
    for _ in range(2):
        beside.start("--sleep-ms", "32000", "--redelivers")
    beside.send([CHIPS])

    if library == "ours":
        # I expect each chip to be encoded once
        wait_for(lambda: beside.recognised() == CHIPS, timeout_s=30)
        assert beside.batches() == [CHIPS]
        assert not beside.site.client.exists(beside.site.keys.deaths)
        assert "come again" not in (beside.site.folder / "workers.log").read_text()
    else:
        wait_for(lambda: beside.batches() == [CHIPS, CHIPS], timeout_s=20)
        beside.kill_who_works()


@pytest.mark.parametrize("library", ["ours"])
def test_work_that_has_come_to_a_halt_is_given_to_another(
    beside: Beside, wait_for: WaitFor
) -> None:
    # Given a living worker whose batch has lasted for longer than any does
    beside.start("--sleep-ms", "200000", "--halt-s", "1", "--redelivers")
    beside.send([CHIPS])
    wait_for(beside.batches)
    beside.start()
    wait_for(lambda: beside.recognised() == CHIPS, timeout_s=20)
    beside.kill_who_works()


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_batch_that_fails_is_not_lost(library: str, beside: Beside, wait_for: WaitFor) -> None:
    # Given a batch at which the encoder fails
    beside.start("--fails", "--wait-ms", "1000")
    beside.send([CHIPS])
    wait_for(beside.batches)
    wait_for(lambda: not beside.in_hand())
    site, found = beside.site, beside.set_aside()

    if library == "ours":
        # I expect its message to be kept with the reason, and to be recognised when tried again
        assert [one.reason for one in found] == ["RuntimeError: out of memory on the GPU"]
        retry(site.client, site.keys, site.app, found[0])
        wait_for(lambda: beside.recognised() == CHIPS)
    else:
        # I expect of the others that it is nowhere
        assert (found, beside.recognised()) == ([], 0)


@pytest.mark.parametrize("library", ["celery-batches", "ours"])
def test_a_batch_whose_matches_a_full_redis_refuses_is_published_once_there_is_room(
    library: str, beside: Beside, wait_for: WaitFor
) -> None:
    # Given messages that are worked at
    beside.start("--sleep-ms", "4000")
    beside.send([CHIPS // 2, CHIPS // 2])
    wait_for(lambda: sum(beside.batches()) == CHIPS)

    # If Redis is full when they are done, and has room again later
    beside.site.client.config_set("maxmemory", 1)
    time.sleep(3)
    beside.site.client.config_set("maxmemory", 0)

    if library == "ours":
        wait_for(lambda: beside.recognised() == CHIPS)
        wait_for(lambda: not beside.in_hand())
    else:
        # I expect of the others that they wait, by themselves for an hour
        time.sleep(2)
        assert (beside.recognised(), beside.in_hand()) == (0, 2)


@pytest.mark.parametrize("library", ["celery-batches", "ours"])
def test_a_batch_fills_from_all_that_waits(library: str, beside: Beside, wait_for: WaitFor) -> None:
    # Given more messages of one chip than a batch holds, and a worker with a pool as it comes
    beside.send([1] * 64)
    beside.start("--wait-ms", "1000")
    wait_for(lambda: len(beside.batches()) >= 2, timeout_s=20)
    expected = 32 if library == "ours" else 4  # what Celery prefetches
    assert max(beside.batches()) == expected
