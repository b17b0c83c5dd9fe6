"""Cameras that fail at random, for long: each must come back, and nothing may grow or stay.

    python -m benchmarks.endurance --seconds 1800 --cameras 8

Each camera is an RTSP server of its own behind a proxy, and shows a face that passes. One
`python -m ingest` reads them all. Every few seconds something happens to one of them: its server
is killed, or comes back with a picture of another size and codec, or the network is cut, freezes,
becomes slow, or spoils bytes. A camera is back when a chip comes of a frame taken after its
fault. Needs GStreamer's RTSP server, and prints one line of JSON.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path

import cv2
import msgspec
import numpy as np
import redis
import skimage.data

from facetrail.children import end, end_with_parent, is_running
from facetrail.embedded_redis import EmbeddedRedis
from facetrail.events import replay
from facetrail.store import Keys, connect
from facetrail.wire import FaceChip, Message
from ingest.faces.face import Picture
from tests.ingest.access_units import write_units
from tests.ingest.clips import passing
from tests.ingest.conftest import CAMERAS, RtspServer
from tests.ingest.proxy import Fault, Proxy

FAULTS = ("kill", "resize", "cut", "freeze", "slow", "garbage", "drop")
#: A fault lasts between these, in seconds.
SHORTEST_S, LONGEST_S = 3.0, 15.0
#: A fault of these kinds that lasts so long must be told.
TOLD = frozenset({"kill", "cut", "freeze", "slow"})
TOLD_AFTER_S = 10.0
START_S = 180.0
#: How long a camera may stay away before that is a failure and no longer waited for.
GIVEN_UP_S = 90.0
SAMPLE_S = 2.0


@dataclass(frozen=True, slots=True)
class Happened:
    """One fault. back_s: from its end to a frame; None: never. told_s: from its begin."""

    camera: str
    fault: str
    lasted_s: float
    back_s: float | None
    told_s: float | None


@dataclass(slots=True)
class Outcome:
    """memory_mb: of all of ingest, in each tenth of the time. orphans: processes that stayed."""

    seconds: float
    cameras: int
    happened: list[Happened] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    restarts: int = 0
    orphans: int = 0

    @property
    def growth(self) -> float:
        """From the second tenth, when all that is loaded is there, to the last."""
        return self.memory_mb[-1] / self.memory_mb[1] - 1

    @property
    def longest_back_s(self) -> float:
        return max(
            (GIVEN_UP_S if one.back_s is None else one.back_s for one in self.happened),
            default=0.0,
        )

    @property
    def untold(self) -> list[Happened]:
        """Faults that should have been told and were not, or too late."""
        return [
            one
            for one in self.happened
            if one.fault in TOLD
            and one.lasted_s > TOLD_AFTER_S
            and (one.told_s is None or one.told_s > TOLD_AFTER_S)
        ]


class Site:
    """One camera: its server, the network before it, and what happens to them."""

    def __init__(self, name: str, clips: tuple[Path, Path]) -> None:
        self.name = name
        self.busy = False
        self._clips = clips
        self._server = RtspServer(clips[0], script=CAMERAS)

    def __enter__(self) -> Site:
        self._server.start()
        self._proxy = Proxy(self._server.port).__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._proxy.__exit__(None, None, None)
        self._server.kill()

    @property
    def url(self) -> str:
        return self._server.url(port=self._proxy.port)

    def suffer(self, fault: str, lasts_s: float, stop: threading.Event) -> None:
        """Returns when the fault is over."""
        if fault in ("kill", "resize"):
            self._server.kill()
            if fault == "resize":
                first, second = self._clips
                self._server.clip = second if self._server.clip == first else first
            else:
                stop.wait(lasts_s)
            self._server.start()
            return
        network: dict[str, Fault] = {
            "cut": "cut", "freeze": "freeze", "slow": "slow", "garbage": "garbage", "drop": "drop",
        }  # fmt: skip
        with self._proxy.failing(network[fault]):
            stop.wait(lasts_s)


class Drain(threading.Thread):
    """Takes the queue's messages; newest: of each camera's frames, when it was taken."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        super().__init__(daemon=True)
        self.newest: dict[str, int] = {}
        self._client, self._keys = client, keys
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while not self._stop_asked.wait(0.1):
            while line := self._client.rpop(self._keys.queue):
                (data,), _, _ = msgspec.msgpack.decode(base64.b64decode(json.loads(line)["body"]))
                for item in Message.parse(data).items:
                    if isinstance(item, FaceChip):
                        before = self.newest.get(item.camera, 0)
                        self.newest[item.camera] = max(before, item.captured_at)

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()


class Memory(threading.Thread):
    """Samples what ingest and its processes hold; seen: the ids of all there ever were."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.samples: list[float] = []
        self.seen: set[int] = {pid}
        self._pid = pid
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while not self._stop_asked.wait(SAMPLE_S):
            family = [self._pid, *_children(self._pid)]
            self.seen.update(family)
            self.samples.append(sum(map(_held_mb, family)))

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()

    def by_tenths(self) -> list[float]:
        """The median of each tenth of the samples."""
        bounds = [round(i * len(self.samples) / 10) for i in range(11)]
        return [statistics.median(self.samples[a:b] or [0.0]) for a, b in pairwise(bounds)]


def _children(pid: int) -> list[int]:
    try:
        return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    except FileNotFoundError:
        return []


def _held_mb(pid: int) -> float:
    """What it has allocated; of the libraries, others on the machine bear a changing part."""
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("RssAnon:")).split()[1]) / 1000
    return 0.0


class Endurance:
    """Lets things happen to cameras, and follows what becomes of them."""

    def __init__(self, sites: list[Site], drain: Drain, client: redis.Redis, keys: Keys) -> None:
        self.happened: list[Happened] = []
        self._sites = sites
        self._drain = drain
        self._client, self._keys = client, keys
        self._stop = threading.Event()

    def wait_for_all(self) -> None:
        """Raises SystemExit where a camera does not show a face in time."""
        deadline = time.monotonic() + START_S
        while missing := {site.name for site in self._sites} - self._drain.newest.keys():
            if time.monotonic() > deadline:
                raise SystemExit(f"no face came from {', '.join(sorted(missing))}")
            time.sleep(0.2)

    def run(self, seconds: float, every_s: float, chance: random.Random) -> None:
        threads = []
        finish = time.monotonic() + seconds
        kinds: list[str] = []
        while time.monotonic() + every_s < finish:
            time.sleep(every_s)
            idle = [site for site in self._sites if not site.busy]
            if not idle:
                continue
            # Each kind once before any comes again.
            kinds = kinds or chance.sample(FAULTS, len(FAULTS))
            site, lasts_s = chance.choice(idle), chance.uniform(SHORTEST_S, LONGEST_S)
            site.busy = True
            happening = (site, kinds.pop(), lasts_s)
            threads.append(threading.Thread(target=self._happens, args=happening))
            threads[-1].start()
        for thread in threads:
            thread.join()

    def _happens(self, site: Site, fault: str, lasts_s: float) -> None:
        began = time.time_ns()
        site.suffer(fault, lasts_s, self._stop)
        ended = time.time_ns()
        back_s = self._back(site.name, ended)
        told = self._told_at(site.name, began)
        self.happened.append(
            Happened(
                camera=site.name,
                fault=fault,
                lasted_s=round((ended - began) / 1e9, 1),
                back_s=back_s,
                told_s=None if told is None else round((told - began) / 1e9, 1),
            )
        )
        print(json.dumps(asdict(self.happened[-1])), file=sys.stderr, flush=True)
        site.busy = False

    def _back(self, camera: str, ended: int) -> float | None:
        """Seconds until a chip came of a frame taken after the fault."""
        while (passed := (time.time_ns() - ended) / 1e9) < GIVEN_UP_S:
            if self._drain.newest.get(camera, 0) > ended:
                return round(passed, 1)
            time.sleep(0.1)
        return None

    def _told_at(self, camera: str, began: int) -> int | None:
        """When the camera was first told offline since then, by its event's place in the stream."""
        for event in replay(self._client, self._keys, f"{began // 1_000_000}"):
            if event.camera == camera and event.type == "camera_offline":
                return int(event.sequence.split("-")[0]) * 1_000_000
        return None


def _clips(folder: Path) -> tuple[Path, Path]:
    """A face that passes, as H.264, and smaller as H.265."""
    face = np.asarray(skimage.data.astronaut(), np.uint8)  # type: ignore[no-untyped-call]

    def small(pictures: Iterator[Picture]) -> Iterator[Picture]:
        for picture in pictures:
            yield np.asarray(cv2.resize(picture, (480, 270)), np.uint8)

    return (
        write_units(folder / "large", "h264", passing(60, face)),
        write_units(folder / "small", "h265", small(passing(60, face))),
    )


def run(folder: Path, *, seconds: float, cameras: int, every_s: float, seed: int) -> Outcome:
    """Raises SystemExit where a camera does not even begin."""
    outcome = Outcome(seconds=seconds, cameras=cameras)
    redis_server, keys = EmbeddedRedis(folder), Keys()
    with ExitStack() as stack:
        url = redis_server.start()
        stack.callback(redis_server.stop)
        client = connect(url)
        stack.callback(client.close)
        clips = _clips(folder)
        sites = [stack.enter_context(Site(f"camera{i}", clips)) for i in range(cameras)]
        ingest = _ingest(folder, url, sites)
        stack.callback(end, ingest, wait_s=15.0)
        drain, memory = Drain(client, keys), Memory(ingest.pid)
        drain.start()
        stack.callback(drain.stop)
        endurance = Endurance(sites, drain, client, keys)
        endurance.wait_for_all()
        memory.start()
        stack.callback(memory.stop)
        endurance.run(seconds, every_s, random.Random(seed))
        memory.stop()
        end(ingest, wait_s=15.0)
        outcome.happened = endurance.happened
        outcome.memory_mb = memory.by_tenths()
        outcome.restarts = len(memory.seen) - 1 - cameras
        outcome.orphans = sum(map(is_running, memory.seen))
    return outcome


def _ingest(folder: Path, url: str, sites: list[Site]) -> subprocess.Popen[bytes]:
    lines = [f"  {site.name}: {{url: '{site.url}'}}" for site in sites]
    how = "defaults: {hwaccel: none, detect_width: 320}"
    (folder / "cameras.yml").write_text("\n".join([how, "cameras:", *lines, ""]))
    variables = {
        "FACETRAIL_REDIS_URL": url,
        "FACETRAIL_CAMERAS": str(folder / "cameras.yml"),
    }
    with (folder / "ingest.log").open("ab") as log:
        command = [sys.executable, "-m", "ingest"]
        return subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env=os.environ | variables,
            preexec_fn=end_with_parent,
        )


def figures(outcome: Outcome) -> dict[str, object]:
    """What is printed: the slowest of each kind of fault, and the totals."""
    slowest = {
        kind: max(one.back_s or GIVEN_UP_S for one in outcome.happened if one.fault == kind)
        for kind in sorted({one.fault for one in outcome.happened})
    }
    told = [one.told_s for one in outcome.happened if one.fault in TOLD and one.told_s is not None]
    return {
        "seconds": outcome.seconds,
        "cameras": outcome.cameras,
        "faults": len(outcome.happened),
        "slowest_back_s": slowest,
        "slowest_told_s": max(told, default=None),
        "untold": [asdict(one) for one in outcome.untold],
        "memory_mb": [round(one) for one in outcome.memory_mb],
        "growth": round(outcome.growth, 4),
        "restarts": outcome.restarts,
        "orphans": outcome.orphans,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Cameras that fail at random, for long.")
    parser.add_argument("--seconds", type=float, default=1800.0)
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--every", type=float, default=20.0, help="seconds from fault to fault")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="for the log; a temporary one without it")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        outcome = run(
            folder,
            seconds=given.seconds,
            cameras=given.cameras,
            every_s=given.every,
            seed=given.seed,
        )
    print(json.dumps(figures(outcome)))


if __name__ == "__main__":
    main()
