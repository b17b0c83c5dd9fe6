"""What a camera costs: all of ingest, beside decoding the same streams alone.

    python -m benchmarks.cameras_per_core --clip five_faces_1080p.mp4

The clip is timed anew to 15 frames a second and served over RTSP, once as it is and once as a
still picture. Each is decoded by one process with PyAV and nothing else, then read by
`python -m ingest`, and so on in turns, since machines are not as fast at all times. What counts is
seconds of processor, per camera and second.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple

import av

from benchmarks.streams import Site, Taker, family_s, retimed, served
from facetrail.children import end_with_parent
from ingest.sharing.load import process_s

SETTLE_S = 10.0


class Turn(NamedTuple):
    """Of one turn, per camera and second: seconds of processor, and frames looked at."""

    alone: float
    whole: float
    looked: float
    messages: int


def decode(urls: list[str]) -> None:
    """Decodes all of these streams in one process, and does nothing with the frames."""
    threads = [threading.Thread(target=_decode_one, args=[url], daemon=True) for url in urls]
    for thread in threads:
        thread.start()
    print("decoding", flush=True)
    sys.stdin.read()
    os._exit(0)


def _decode_one(url: str) -> None:
    with av.open(url, options={"rtsp_transport": "tcp"}) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for packet in container.demux(stream):
            with suppress(av.error.InvalidDataError):
                packet.decode()


def decoding_s(urls: list[str], seconds: float) -> float:
    """Seconds of processor, per camera and second, of decoding alone."""
    command = [sys.executable, "-m", "benchmarks.cameras_per_core", "--decode", *urls]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, preexec_fn=end_with_parent) as process:
        time.sleep(SETTLE_S)
        began, used = time.monotonic(), process_s(process.pid)
        time.sleep(seconds)
        used, passed = process_s(process.pid) - used, time.monotonic() - began
        process.communicate()
    return used / passed / len(urls)


def ingest_s(urls: list[str], folder: Path, seconds: float, fps: float) -> tuple[float, float, int]:
    """The same of all of ingest; also frames a second looked at per camera, and messages."""
    site = Site(folder)
    taker = Taker(site)
    taker.start()
    try:
        with site.ingest(urls, fps=fps) as process:
            time.sleep(SETTLE_S)
            began, used, before = time.monotonic(), family_s(process.pid), len(taker.arrived)
            time.sleep(seconds)
            used, passed = family_s(process.pid) - used, time.monotonic() - began
            looked = site.looked_at(len(urls)) / len(urls)
            return used / passed / len(urls), looked, len(taker.arrived) - before
    finally:
        taker.stop()
        site.close()


def turn(urls: list[str], folder: Path, given: argparse.Namespace) -> Turn:
    alone = decoding_s(urls, given.seconds)
    return Turn(alone, *ingest_s(urls, folder, given.seconds, given.fps))


def told(turns: list[Turn]) -> str:
    """The medians, and all ratios."""
    alone, whole = median(one.alone for one in turns), median(one.whole for one in turns)
    ratios = sorted(one.whole / one.alone for one in turns)
    return (
        f"decoding alone {alone:.4f} s of processor per camera and second, all of ingest "
        f"{whole:.4f} s, {median(ratios):.2f} times ({', '.join(f'{one:.2f}' for one in ratios)}); "
        f"{1 / whole:.1f} cameras per core; {turns[-1].looked:.1f} frames a second looked at, "
        f"{turns[-1].messages} messages"
    )


def main() -> None:
    made = argparse.ArgumentParser(description="What a camera costs, beside decoding alone.")
    made.add_argument("--clip", type=Path, help="people, in a video")
    made.add_argument("--cameras", type=int, default=4)
    made.add_argument("--fps", type=float, default=5.0, help="frames a second looked at")
    made.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    made.add_argument("--turns", type=int, default=3)
    made.add_argument("--decode", nargs="+", metavar="URL", help="be the process that decodes")
    given = made.parse_args()
    if given.decode:
        decode(given.decode)
        return
    for still in (False, True):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            clip = retimed(given.clip, folder / "clip.mp4", still=still)
            with served(clip, given.cameras, folder) as urls:
                turns = [turn(urls, folder, given) for _ in range(given.turns)]
        print(f"{'still picture' if still else 'people'}: {told(turns)}", flush=True)


if __name__ == "__main__":
    main()
