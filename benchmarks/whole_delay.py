"""The delay from a frame at the reader to the event that a subscriber hears of it.

    python -m benchmarks.whole_delay --clip five_faces_1080p.mp4 --encoder dlib_resnet

Cameras, ingest, Redis, a worker with its encoder and 10 000 enrolled people, and the subscriber
are on this machine. How many cameras it can take is measured first, by what one of them uses; then
half as many are read. One chip is enough for a word here (`FACETRAIL_CONFIRM_CHIPS`), so that
each event tells when the frame was taken that it follows from.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from datetime import datetime
from pathlib import Path

import numpy as np

from benchmarks.load_site import LoadSite
from benchmarks.streams import Site, family_s, retimed, served
from facetrail.events import parse
from facetrail.settings import read_settings
from ingest.sharing.load import process_s
from workers.encoders.choice import opened_encoder

PEOPLE = 10_000
SETTLE_S = 10.0
PROBE_S = 20.0


class Whole:
    """All processes of one machine but the cameras."""

    def __init__(self, folder: Path, encoder: str, fps: float) -> None:
        self._folder, self._fps = folder, fps
        self._load = LoadSite(folder)
        self._site = Site(folder, self._load.url)
        settings = read_settings()
        self._load.enrol_stand_ins(PEOPLE, opened_encoder(encoder, settings).id)
        self._worker = self._load.start_worker(
            "workers",
            FACETRAIL_ENCODER=encoder,
            FACETRAIL_CONFIRM_CHIPS="1",
            FACETRAIL_UNKNOWN_CHIPS="1",
        )
        self._load.wait_until_ready(1)

    def close(self) -> None:
        self._site.close()
        self._load.close()

    def run(self, clip: Path, cameras: int, seconds: float) -> tuple[list[float], float]:
        """Milliseconds of each event's delay, and how many cores were at work."""
        delays: list[float] = []
        with served(clip, cameras, self._folder, clock=False) as urls:
            with self._site.ingest(urls, fps=self._fps) as ingest:
                time.sleep(SETTLE_S)
                heard = self._load.client.pubsub()
                heard.psubscribe(f"{self._load.keys.events}:*")
                began, used = time.monotonic(), self._used_s(ingest.pid)
                while time.monotonic() - began < seconds:
                    message = heard.get_message(ignore_subscribe_messages=True, timeout=0.5)
                    event = parse(message["data"], "") if message else None
                    if event is not None and event.type.endswith("_enter"):
                        taken_at = datetime.fromisoformat(event.captured_at).timestamp()
                        delays.append((time.time() - taken_at) * 1000)
                used = self._used_s(ingest.pid) - used
                return delays, used / (time.monotonic() - began)

    def _used_s(self, ingest: int) -> float:
        server = self._load.client.info("server")["process_id"]
        return family_s(ingest) + process_s(self._worker.pid) + process_s(server)


def main() -> None:
    made = argparse.ArgumentParser(description="From a frame at the reader to a subscriber.")
    made.add_argument("--clip", type=Path, required=True, help="people, in a video")
    made.add_argument("--encoder", default="dlib_resnet")
    made.add_argument("--fps", type=float, default=5.0, help="frames a second looked at")
    made.add_argument("--seconds", type=float, default=180.0)
    made.add_argument("--cameras", type=int, help="instead of half of what it can take")
    given = made.parse_args()
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = retimed(given.clip, folder / "clip.mp4")
        whole = Whole(folder, given.encoder, given.fps)
        try:
            _, used = whole.run(clip, 1, PROBE_S)
            print(f"one camera uses {used:.2f} of {cores} cores", flush=True)
            cameras = given.cameras or max(1, int(cores / used / 2))
            delays, used = whole.run(clip, cameras, given.seconds)
        finally:
            whole.close()
    if not delays:
        raise SystemExit("nobody was seen: the clip has to show people")
    p50, p95 = np.percentile(delays, [50, 95])
    print(
        f"{cameras} cameras, {used:.2f} cores: {len(delays)} events, "
        f"p50 {p50:.0f} ms, p95 {p95:.0f} ms"
    )


if __name__ == "__main__":
    main()
