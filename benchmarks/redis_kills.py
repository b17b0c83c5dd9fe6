"""What a Redis that is killed has answered and lost, by when it writes its append-only file.

    python -m benchmarks.redis_kills --kills 20

A client sets a number, one higher each time, with some kilobytes as a picture has them, while
another file is written to the same disk; Redis is killed with SIGKILL at random times and started
again. Lost is what was answered and is not there.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import redis

from facetrail.embedded_redis import EmbeddedRedis
from facetrail.store import connect

KEY = "benchmark:number"
SIZE = 20_000  # bytes
#: After so long it is killed: with `everysec` it syncs each second.
FIRST_S, LAST_S = 0.9, 1.6
PIECE = 4_000_000  # bytes of the other file, written before each time that it is synced


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one run. losing: kills that lost something. answered, lost: writes."""

    kills: int
    losing: int
    answered: int
    lost: int
    seconds: float


def run(folder: Path, *, kills: int, appendfsync: str | None = None, seed: int = 0) -> Outcome:
    """appendfsync: None for that of the embedded Redis."""
    draw = random.Random(seed)
    server = EmbeddedRedis(folder)
    losing = answered = lost = number = 0
    seconds = 0.0
    try:
        for _ in range(kills):
            client = connect(server.start())
            if appendfsync is not None:
                client.config_set("appendfsync", appendfsync)
            with busy_disk(folder):
                wait_s = draw.uniform(FIRST_S, LAST_S)
                last = written_until_killed(server, client, number, wait_s)
            seconds += wait_s
            answered += last - number
            number = number_in(connect(server.start()))
            losing += number < last
            lost += max(0, last - number)
    finally:
        server.stop()
    return Outcome(kills, losing, answered, lost, seconds)


@contextmanager
def busy_disk(folder: Path) -> Iterator[None]:
    stop = threading.Event()

    def write() -> None:
        piece = os.urandom(PIECE)
        with (folder / "other").open("wb") as file:
            while not stop.is_set():
                file.seek(0)
                file.write(piece)
                file.flush()
                os.fsync(file.fileno())

    writing = threading.Thread(target=write)
    writing.start()
    try:
        yield
    finally:
        stop.set()
        writing.join()


def written_until_killed(
    server: EmbeddedRedis, client: redis.Redis, number: int, after_s: float
) -> int:
    """The last number that Redis has answered to."""
    process = psutil.Process(server.pid)
    killing = threading.Timer(after_s, process.kill)
    killing.start()
    filling = os.urandom(SIZE)
    try:
        while True:
            client.set(KEY, b"%d %b" % (number + 1, filling))
            number += 1
    except redis.RedisError:
        return number
    finally:
        killing.join()
        process.wait()
        client.close()


def number_in(client: redis.Redis) -> int:
    value = client.get(KEY)
    client.close()
    return int(value.split(b" ", 1)[0]) if value else 0


def main() -> None:
    made = argparse.ArgumentParser(description="What a killed Redis has answered and lost.")
    made.add_argument("--kills", type=int, default=20, help="for each way of writing")
    made.add_argument("--folder", type=Path, help="on a disk; where temporary files are, otherwise")
    given = made.parse_args()
    print("| appendfsync | kills | that lost something | answered | lost | answers/s |")
    print("|---|---|---|---|---|---|")
    for way in ("everysec", "always"):
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            found = run(Path(folder), kills=given.kills, appendfsync=way)
        print(
            f"| {way} | {found.kills} | {found.losing} | {found.answered} | {found.lost} "
            f"| {found.answered / found.seconds:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
