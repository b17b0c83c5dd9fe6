"""The delay from a frame at the reader to its chip in Redis, at half load and at twice the load.

    python -m benchmarks.delay --clip five_faces_1080p.mp4 --minutes 10

How many cameras the machine can take is measured first, by what two of them use of it. Then half
as many are read, and then twice as many, for so many minutes. At half load frames are dated when
they arrive at the reader. At twice the load that would leave out how long they wait to be
decoded: there the cameras, whose clock is this machine's, date them when they send them, and
that a frame comes of the decoder only when the next one begins counts, too. How often a camera's
clock was not believed, since a frame was later than ingest takes for possible, is told.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.cameras_per_core import ingest_s
from benchmarks.streams import Site, Taker, retimed, served
from facetrail.wire import Message

SETTLE_S = 10.0
PROBE_CAMERAS, PROBE_S = 2, 20.0

#: Rows of seconds since the start of a measurement, and milliseconds of delay.
Delays = NDArray[np.float64]


def capacity(clip: Path, folder: Path, fps: float) -> float:
    """Cameras that use all of this machine's cores."""
    with served(clip, PROBE_CAMERAS, folder) as urls:
        used, _, _ = ingest_s(urls, folder, PROBE_S, fps)
    return len(os.sched_getaffinity(0)) / used


def delays(
    clip: Path, folder: Path, *, cameras: int, clock: bool, fps: float, seconds: float
) -> Delays:
    """Of every chip, `(n, 2)`. clock: whether cameras date the frames, or their arrival does."""
    with served(clip, cameras, folder, clock=clock) as urls:
        site = Site(folder)
        taker = Taker(site)
        try:
            with site.ingest(urls, fps=fps):
                time.sleep(SETTLE_S)
                site.client.delete(site.keys.queue)
                taker.start()
                time.sleep(seconds)
                taker.stop()
        finally:
            site.close()
    began = taker.arrived[0][0]
    rows = [
        ((at - began) / 1e9, (at - chip.captured_at) / 1e6)
        for at, line in taker.arrived
        for chip in _message(line).chips
    ]
    return np.array(rows)


def _message(line: bytes) -> Message:
    body = base64.b64decode(json.loads(line)["body"])
    (data,), _, _ = msgspec.msgpack.decode(body)
    return Message.parse(data)


def disbelieved(folder: Path) -> int:
    """How often ingest went over to dating frames by arrival; its log is then gone."""
    log = folder / "ingest.log"
    found = log.read_text().count("not believed")
    log.unlink()
    return found


def told(name: str, found: Delays, seconds: float) -> str:
    """Median and p95 of the whole, and of its first and last third."""
    thirds = [found[(found[:, 0] // (seconds / 3)) == third, 1] for third in (0, 2)]
    first, last = (np.percentile(third, 95) if third.size else np.nan for third in thirds)
    return (
        f"{name}: {len(found)} chips, delay {np.median(found[:, 1]):.0f} ms, "
        f"p95 {np.percentile(found[:, 1], 95):.0f} ms; p95 of the first third {first:.0f} ms, of "
        f"the last {last:.0f} ms"
    )


def main() -> None:
    made = argparse.ArgumentParser(description="From a frame at the reader to its chip in Redis.")
    made.add_argument("--clip", type=Path, required=True, help="people, in a video")
    made.add_argument("--fps", type=float, default=5.0, help="frames a second looked at")
    made.add_argument("--minutes", type=float, default=10.0, help="of each measurement")
    made.add_argument("--half-minutes", type=float, help="of that at half load, if other")
    made.add_argument("--most", type=float, help="cameras the machine can take; else measured")
    given = made.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = retimed(given.clip, folder / "clip.mp4")
        most = given.most or capacity(clip, folder, given.fps)
        print(f"this machine can take {most:.1f} cameras", flush=True)
        half, twice = max(1, int(most / 2)), round(most * 2)
        for load, cameras, clock in (("half", half, False), ("twice", twice, True)):
            seconds = 60 * (given.minutes if clock else given.half_minutes or given.minutes)
            found = delays(
                clip, folder, cameras=cameras, clock=clock, fps=given.fps, seconds=seconds
            )
            line = told(f"{load} the load, {cameras} cameras", found, seconds)
            since = "they were sent" if clock else "they arrived"
            print(f"{line}; since {since}, {disbelieved(folder)} times not believed", flush=True)


if __name__ == "__main__":
    main()
