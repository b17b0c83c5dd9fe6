"""A load of known truth on real workers, and a check of every result.

    python -m benchmarks.load --chips CHIPS --workers 2 --rate 400 --seconds 60
    … --sleep-ms 200            the encoder takes so long for a batch of 32
    … --kill-every 5            a random worker is killed with SIGKILL, and started again
    … --restart-redis           Redis is killed in the middle, and started again
    … --encoder dlib_resnet     the real encoder; else a stand-in that reads who it is from the chip

CHIPS is a folder of aligned 112x112 JPEGs. Messages of 16 chips are sent at the rate, whatever
the workers make of it. In the end every chip that was sent must be recognised or dropped for a
reason, and every track must have entered and left once, as who it is, unless chips were too old.
Prints one line of JSON; the status is 1 where anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import socket
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import psutil
import redis
from kombu.exceptions import OperationalError
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.load_site import LoadSite, Tracks, marked_pictures, wrong
from benchmarks.worker_speed import chosen_pictures, enrolled
from facetrail import log
from facetrail.events import parse
from facetrail.settings import read_settings
from facetrail.worker_status import statuses
from workers.measures import DELAYS_S

PEOPLE = 1_000
SAMPLE_S = 1.0


@dataclass(slots=True)
class Outcome:
    """What a run gave. longest_delay_s: the largest mean of a second that a worker told.
    within_ttl: how many chips were counted before they were too old, and how many in all, if there
    is one worker. heard: from the capture of the chip that confirms a person, where none is
    dropped, until a subscriber hears of their entering.

    memory_mb: of the first worker, after a tenth of the chips and at the end; memory_each_mb, each
    second.
    """

    sent: int = 0
    seconds: float = 0.0
    outcomes: dict[str, int] = field(default_factory=dict)
    unaccounted: int = 0
    tracks: int = 0
    wrong: int = 0
    twice: int = 0
    longest_delay_s: float = 0.0
    within_ttl: tuple[int, int] | None = None
    heard_p50_ms: float | None = None
    heard_p95_ms: float | None = None
    kills: int = 0
    redis_restarts: int = 0
    memory_mb: tuple[float, float] = (0.0, 0.0)
    memory_each_mb: list[int] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        return not (self.unaccounted or self.wrong or self.twice)


class Load:
    """Sends at a rate, does harm meanwhile, and looks."""

    def __init__(self, site: LoadSite, tracks: Tracks, given: argparse.Namespace) -> None:
        self._site, self._tracks, self._given = site, tracks, given
        self._chance = random.Random(given.seed)
        self._over = threading.Event()
        self._metrics_port: int | None = None
        self.outcome = Outcome()

    def run(self) -> Outcome:
        given, site, out = self._given, self._site, self.outcome
        for _ in range(given.workers):
            self._start_worker()
        site.wait_until_ready(given.workers)
        chips = round(given.rate * given.seconds)
        send = threading.Thread(target=self._send, args=(chips,))
        look = threading.Thread(target=self._look)
        listen = threading.Thread(target=self._listen)
        listen.start()
        began = time.monotonic()
        send.start()
        look.start()
        self._harm()  # in this thread: a child ends with the thread that started it
        send.join()
        out.sent = self._tracks.sent
        self._wait(within_s=given.ttl + 60)
        out.seconds = time.monotonic() - began
        self._over.set()
        look.join()
        listen.join()
        self._judge()
        return out

    def _start_worker(self) -> None:
        given = self._given
        variables = {
            "FACETRAIL_CHIP_TTL_S": str(given.ttl),
            "FACETRAIL_THREADS": str(given.threads),
        }
        if given.workers == 1 and not given.kill_every:
            self._metrics_port = free_port()
            variables["FACETRAIL_METRICS_PORT"] = str(self._metrics_port)
        if given.encoder is not None:
            self._site.start_worker("workers", FACETRAIL_ENCODER=given.encoder, **variables)
            return
        sleep = ("--sleep-ms", str(given.sleep_ms))
        self._site.start_worker("benchmarks.stand_in", *sleep, **variables)

    def _send(self, chips: int) -> None:
        paced = Paced(self._tracks, chips, self._given.rate)
        while True:
            try:
                self._site.send(paced)
                return
            except (redis.RedisError, OperationalError):  # it restarts
                paced.again()
                time.sleep(0.2)

    def _harm(self) -> None:
        given, site, out = self._given, self._site, self.outcome
        began = time.monotonic()
        restarted = not given.restart_redis
        while (now := time.monotonic() - began) < given.seconds:
            time.sleep(
                self._chance.uniform(0.5, 1.5) * given.kill_every if given.kill_every else 0.5
            )
            if given.kill_every:
                which = self._chance.randrange(len(site.workers))
                site.workers[which].send_signal(signal.SIGKILL)
                site.workers[which].wait()
                del site.workers[which]
                self._start_worker()
                out.kills += 1
            if not restarted and now > given.seconds / 2:
                site.restart_redis()
                restarted = True
                out.redis_restarts += 1

    def _look(self) -> None:
        site, out, rss = self._site, self.outcome, 0.0
        first = psutil.Process(site.workers[0].pid)
        while not self._over.wait(SAMPLE_S):
            try:
                told = [one.delay_s or 0.0 for one in statuses(site.client, site.keys)]
                done = sum(site.outcomes().values())
                rss = first.memory_info().rss / 1e6
            except (redis.RedisError, psutil.NoSuchProcess):
                continue
            out.longest_delay_s = max([out.longest_delay_s, *told])
            out.memory_each_mb.append(round(rss))
            if not out.memory_mb[0] and done > self._given.rate * self._given.seconds / 10:
                out.memory_mb = (rss, rss)
            out.memory_mb = (out.memory_mb[0], rss)

    def _listen(self) -> None:
        site, heard = self._site, self._site.client.pubsub()
        heard.psubscribe(f"{site.keys.events}:*")
        delays = []
        while not self._over.is_set():
            try:
                message = heard.get_message(ignore_subscribe_messages=True, timeout=0.5)
            except redis.RedisError:
                continue
            event = parse(message["data"], "") if message else None
            if event is not None and event.type == "person_enter":
                key = (event.camera, event.stream_epoch or 0, event.track or 0)
                if (captured_at := self._tracks.confirming.get(key)) is not None:
                    delays.append((time.time_ns() - captured_at) / 1e6)
        if delays:
            p50, p95 = np.percentile(delays, [50, 95])
            self.outcome.heard_p50_ms, self.outcome.heard_p95_ms = float(p50), float(p95)

    def _wait(self, within_s: float) -> None:
        """Until every chip is accounted for and every vote closed, or nothing changes any more."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            left = self._site.client.zcard(self._site.keys.open_tracks)
            if sum(self._site.outcomes().values()) >= self._tracks.sent and not left:
                return
            time.sleep(0.2)

    def _within_ttl(self) -> tuple[int, int] | None:
        """Where the time to live is one of those that the worker's delays are sorted by."""
        if self._metrics_port is None or self._given.ttl not in DELAYS_S:
            return None
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics_port}/metrics") as answer:
            families = text_string_to_metric_families(answer.read().decode())
        delays = next(one for one in families if one.name == "facetrail_delay_seconds")
        told = {one.labels.get("le", one.name): round(one.value) for one in delays.samples}
        return told[str(self._given.ttl)], told["+Inf"]

    def _judge(self) -> None:
        site, out = self._site, self.outcome
        events = site.events()
        out.within_ttl = self._within_ttl()
        out.outcomes = site.outcomes()
        out.unaccounted = out.sent - sum(out.outcomes.values())
        out.tracks = len(self._tracks.truth)
        out.twice = len(events) - len({event.id for event in events})
        # A track whose chips were skipped may say less.
        bad = [] if "expired" in out.outcomes else wrong(events, self._tracks.truth)
        out.wrong, out.examples = len(bad), bad[:3]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Paced(Iterator[bytes]):
    """Messages at their time."""

    def __init__(self, tracks: Tracks, chips: int, rate: float) -> None:
        self._tracks, self._rate = tracks, rate
        self._messages = tracks.messages(chips)
        self._began = time.monotonic()
        self._last: bytes | None = None
        self._is_failed = False

    def again(self) -> None:
        """The last could not be sent, or perhaps not."""
        self._is_failed = True

    def __next__(self) -> bytes:
        if self._is_failed and self._last is not None:
            self._is_failed = False
            return self._last
        pause = self._tracks.sent / self._rate - (time.monotonic() - self._began)
        if pause > 0:
            time.sleep(pause)
        self._last = next(self._messages)
        return self._last


def main() -> int:
    made = argparse.ArgumentParser(description="A load of known truth on real workers.")
    made.add_argument("--chips", type=Path, required=True)
    made.add_argument("--rate", type=float, default=400.0, help="chips a second")
    made.add_argument("--seconds", type=float, default=30.0)
    made.add_argument("--workers", type=int, default=1)
    made.add_argument("--per-message", type=int, default=16)
    made.add_argument("--encoder")
    made.add_argument("--sleep-ms", type=float, default=0.0)
    made.add_argument("--kill-every", type=float, default=0.0)
    made.add_argument("--restart-redis", action="store_true")
    made.add_argument("--ttl", type=float, default=30.0)
    made.add_argument("--threads", type=int, default=1)
    made.add_argument("--seed", type=int, default=1)
    given = made.parse_args()
    log.configure(level="warning")
    with tempfile.TemporaryDirectory() as folder:
        site = LoadSite(Path(folder))
        try:
            tracks = made_tracks(site, given)
            outcome = Load(site, tracks, given).run()
        finally:
            site.close()
    print(json.dumps(asdict(outcome)))
    return 0 if outcome.is_right else 1


def made_tracks(site: LoadSite, given: argparse.Namespace) -> Tracks:
    if given.encoder is None:
        site.enrol_stand_ins(PEOPLE)
        tracks = marked_pictures(given.chips, range(0, PEOPLE, 5), range(PEOPLE, PEOPLE + 200))
    else:
        settings = read_settings().model_copy(update={"encoder": given.encoder})
        tracks = enrolled(site, settings, chosen_pictures(given.chips))
    tracks.per_message = given.per_message
    return tracks


if __name__ == "__main__":
    sys.exit(main())
