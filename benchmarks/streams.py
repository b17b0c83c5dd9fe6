"""Cameras for benchmarks: a clip of people as RTSP streams, and an ingest that reads them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import av
import redis

from examples.simulator import Simulator
from facetrail.children import end, end_with_parent
from facetrail.embedded_redis import EmbeddedRedis
from facetrail.store import Keys, connect
from ingest.saying.status import status_of
from ingest.sharing.load import process_s

FPS = 15
START_S = 600.0


def retimed(source: Path, target: Path, *, still: bool = False) -> Path:
    """A clip at 15 frames a second as cameras send it: H.264, no B-frames, a key frame each 2 s.

    still: its first frame all the time.
    """
    options = {"preset": "veryfast", "bf": "0", "g": str(2 * FPS), "crf": "24"}
    with av.open(source) as read, av.open(target, "w") as file:
        frames = list(read.decode(video=0))
        stream = file.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        for number in range(len(frames)):
            picture = frames[0 if still else number].to_ndarray(format="yuv420p")
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return target


@contextmanager
def served(clip: Path, count: int, folder: Path, *, clock: bool = True) -> Iterator[list[str]]:
    """The URLs of so many cameras that show the clip, over and over.

    clock: whether they say when they took a frame; else its arrival dates it.
    """
    names = [f"c{number}" for number in range(count)]
    with Simulator(dict.fromkeys(names, clip), log=folder / "server.log", clock=clock) as server:
        yield [server.url(name) for name in names]


class Site:
    """A Redis, and an ingest that reads cameras.

    url: of one that runs already; else it is one of its own.
    """

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self.folder = folder
        self.keys = Keys()
        self._own: EmbeddedRedis | None = None
        if url is None:
            self._own = EmbeddedRedis(folder / "redis")
            url = self._own.start()
        self.url = url
        self.client: redis.Redis = connect(self.url)

    def close(self) -> None:
        self.client.close()
        if self._own is not None:
            self._own.stop()

    @contextmanager
    def ingest(self, urls: list[str], *, fps: float) -> Iterator[subprocess.Popen[bytes]]:
        """Its process, once all cameras are looked at."""
        lines = [f"  c{number}: {{url: '{url}'}}" for number, url in enumerate(urls)]
        file = self.folder / "cameras.yml"
        file.write_text("\n".join([f"defaults: {{fps: {fps}}}", "cameras:", *lines]) + "\n")
        environment = os.environ | {
            "FACETRAIL_REDIS_URL": self.url,
            "FACETRAIL_CAMERAS": str(file),
        }
        with (self.folder / "ingest.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "ingest"],
                env=environment,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent,
            )
        try:
            self._wait_until_read([f"c{number}" for number in range(len(urls))])
            yield process
        finally:
            end(process, wait_s=15.0)

    def looked_at(self, count: int) -> float:
        """Frames a second looked at, of all cameras together."""
        said = status_of(self.client, self.keys, [f"c{number}" for number in range(count)])
        return sum(status.fps for status in said if status is not None)

    def _wait_until_read(self, cameras: list[str]) -> None:
        deadline, read = time.monotonic() + START_S, set[str]()
        while True:
            said = zip(cameras, status_of(self.client, self.keys, cameras), strict=True)
            # Not all at once: at twice the load each has its pauses.
            read |= {name for name, status in said if status is not None and status.fps > 0}
            if len(read) == len(cameras):
                return
            if time.monotonic() > deadline:
                raise SystemExit(f"not all cameras were read; {self.folder} says why")
            time.sleep(0.5)


class Taker(threading.Thread):
    """Takes the messages off the queue at once, as workers would. arrived: each, and when."""

    def __init__(self, site: Site) -> None:
        super().__init__(daemon=True)
        self.arrived: list[tuple[int, bytes]] = []
        self._site = site
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            with suppress(redis.TimeoutError):
                taken = self._site.client.brpop([self._site.keys.queue], timeout=1)
                if taken:
                    self.arrived.append((time.time_ns(), taken[1]))

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()


def family_s(pid: int) -> float:
    """Seconds of processor that a process and those it has started have used."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return process_s(pid) + sum(process_s(int(child)) for child in children)
