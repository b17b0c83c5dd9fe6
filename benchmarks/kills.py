"""Messages through workers that are killed again and again: kombu's own transport beside ours.

    python -m benchmarks.kills --messages 40000 --seeds 3 --every 0.7

Four workers of the solo pool, with a prefetch of 64, do tasks that write their number into Redis
and nothing else. A random one is killed with SIGKILL at random times, and started again. A message
is lost if its number is in Redis neither when all is done nor when nothing has come for long.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import redis
from celery import Celery

from facetrail.broker import celery_app
from facetrail.children import end_with_parent
from facetrail.embedded_redis import EmbeddedRedis
from facetrail.queue_state import in_hand
from facetrail.settings import Settings
from facetrail.store import Keys, broker_url, connect
from facetrail.wire import TASK
from workers.app import serve, worker_app

Transport = Literal["kombu", "ours"]
TRANSPORTS: tuple[Transport, ...] = ("kombu", "ours")
WORKERS = 4
PREFETCH = 64
PATIENCE_S = 3
#: Without anything new for so long, what is missing is lost.
QUIET_S = 20.0
DONE, AGAIN = "benchmark:done", "benchmark:again"
KEYS = Keys()


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one run."""

    transport: Transport
    kills: int
    lost: int
    twice: int
    seconds: float


def app_of(transport: Transport, url: str) -> Celery:
    """A worker's app: ours, or the same with kombu's transport set to come back soon."""
    settings = Settings(redis_url=url, redelivery_s=PATIENCE_S)
    app = worker_app(settings, is_working=lambda: True)
    if transport == "kombu":
        app.conf.update(broker_url=broker_url(url), broker_transport=None)
        # As they come, a message of a dead worker would wait for minutes.
        app.conf.broker_transport_options |= {
            "unacked_restore_throttle": 1,
            "unacked_mutex_expire": 10,
        }
    return app


def work(transport: Transport, url: str) -> None:
    """A worker process, until it is killed."""
    warnings.filterwarnings("ignore", message="You're running the worker with superuser")
    client = connect(url)
    app = app_of(transport, url)

    @app.task(name=TASK, ignore_result=True, shared=False)  # type: ignore[untyped-decorator]
    def note(data: bytes) -> None:
        if client.setbit(DONE, int(data), 1):
            client.incr(AGAIN)

    serve(app, None, pool="solo", concurrency=1, prefetch=PREFETCH)


def run(transport: Transport, seed: int, messages: int, every_s: float, folder: Path) -> Outcome:
    server = EmbeddedRedis(folder / f"{transport}-{seed}")
    url = server.start()
    client = connect(url)
    chance = random.Random(seed)
    workers = [start(transport, url) for _ in range(WORKERS)]
    began = time.monotonic()
    kills = 0
    try:
        sending = threading.Thread(target=send, args=(url, messages))
        sending.start()
        last, last_at = -1, time.monotonic()
        while (done := client.bitcount(DONE)) < messages and time.monotonic() - last_at < QUIET_S:
            if done != last:
                last, last_at = done, time.monotonic()
            time.sleep(chance.uniform(0.1, 2 * every_s - 0.1))
            if sending.is_alive() or waiting(client):
                which = chance.randrange(WORKERS)
                workers[which].kill()
                workers[which].wait()
                workers[which] = start(transport, url)
                kills += 1
        seconds = last_at - began
        lost = messages - int(client.bitcount(DONE))
        return Outcome(transport, kills, lost, int(client.get(AGAIN) or 0), seconds)
    finally:
        sending.join()
        for worker in workers:
            worker.kill()
            worker.wait()
        server.stop()


def waiting(client: redis.Redis) -> bool:
    """Whether a message is anywhere."""
    left = in_hand(client, KEYS) or client.hlen(f"{KEYS.prefix}unacked")
    return bool(left or client.llen(KEYS.queue))


def start(transport: Transport, url: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks.kills", "--work", transport, "--url", url]
    return subprocess.Popen(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, preexec_fn=end_with_parent
    )


def send(url: str, messages: int) -> None:
    app = celery_app(url, key_prefix=KEYS.prefix)
    with app.pool.acquire(block=True) as connection, app.amqp.Producer(connection) as producer:
        for number in range(messages):
            app.send_task(
                TASK, args=[b"%d" % number], producer=producer, retry=False, ignore_result=True
            )
    app.close()


def main() -> None:
    made = argparse.ArgumentParser(description="Messages through workers that are killed.")
    made.add_argument("--messages", type=int, default=40_000)
    made.add_argument("--seeds", type=int, default=3)
    made.add_argument("--every", type=float, default=0.7, help="seconds between kills, in the mean")
    made.add_argument("--work", choices=TRANSPORTS, help=argparse.SUPPRESS)
    made.add_argument("--url", help=argparse.SUPPRESS)
    given = made.parse_args()
    if given.work:
        work(given.work, given.url)
        return
    print("| transport | seed | kills | lost | done again | seconds |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(given.seeds):
            for transport in TRANSPORTS:
                one = run(transport, seed, given.messages, given.every, Path(folder))
                print(
                    f"| {one.transport} | {seed} | {one.kills} | {one.lost} of {given.messages} | "
                    f"{one.twice} | {one.seconds:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
