"""Export and import of a gallery: seconds, size, memory, and for how long Redis answers nobody.

    python -m benchmarks.gallery_export --people 1000 10000

A Redis of its own is filled with drawn people; then the two commands run as a user runs them.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import redis

from facetrail import log
from facetrail.embedded_redis import EmbeddedRedis
from facetrail.store import Keys, connect
from index.gallery import Gallery
from index.photo import Photo
from ingest.faces.jpeg import jpeg

ENCODER = "drawn@00000000"
PHOTOS = 5
#: Grey levels by which drawn chips differ from a smooth picture: about as long as a face's.
NOISE = 6


def fill(gallery: Gallery, people: int) -> None:
    """Enrols people of five photos."""
    rng = np.random.default_rng(0)
    chips = [_chip(rng) for _ in range(50)]
    for person in range(people):
        rows = rng.normal(size=(PHOTOS, 128))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        photos = [
            Photo(
                digest=hashlib.sha256(f"{person} {number}".encode()).hexdigest(),
                source=f"{number}.jpg",
                encoding=row.astype("<f4").tobytes(),
                chip=chips[(person + number) % len(chips)],
            )
            for number, row in enumerate(rows)
        ]
        gallery.enrol(f"Person {person}", photos, encoder=ENCODER)


def _chip(rng: np.random.Generator) -> bytes:
    rough = rng.integers(0, 256, (14, 14, 3), dtype=np.uint8)
    smooth = cv2.resize(rough, (112, 112), interpolation=cv2.INTER_CUBIC).astype(int)
    noise = rng.integers(-NOISE, NOISE + 1, smooth.shape)
    return jpeg(np.clip(smooth + noise, 0, 255).astype(np.uint8))


def timed(url: str, *arguments: str) -> tuple[float, float]:
    """Runs a command; its seconds, and its most memory in MB. Raises CalledProcessError."""
    command = [sys.executable, "-m", "facetrail.cli", "people", *arguments]
    environment = {**os.environ, "FACETRAIL_REDIS_URL": url, "FACETRAIL_PASSPHRASE": "drawn words"}
    began = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.monotonic() - began, usage.ru_maxrss / 1024


def longest_script_ms(client: redis.Redis) -> float:
    """Of those since the slow log was emptied."""
    entries = client.slowlog_get(100)
    scripts = [entry["duration"] for entry in entries if entry["command"][:4] == b"EVAL"]
    return max(scripts, default=0) / 1000


def measure(client: redis.Redis, url: str, people: int, folder: Path) -> None:
    client.flushall()
    fill(Gallery(client, Keys()), people)
    for options in ((), ("--encrypt",)):
        path = folder / f"people{''.join(options)}"
        export_s, export_mb = timed(url, "export", str(path), *options)
        client.flushall()
        client.slowlog_reset()
        import_s, import_mb = timed(url, "import", str(path))
        print(
            f"{people} people with {PHOTOS} photos{' ' + options[0] if options else ''}: "
            f"{path.stat().st_size / 1e6:.1f} MB; export {export_s:.1f} s, {export_mb:.0f} MB of "
            f"memory; import {import_s:.1f} s, {import_mb:.0f} MB; the move into the gallery held "
            f"Redis for {longest_script_ms(client):.0f} ms"
        )
        path.unlink()


def main() -> None:
    made = argparse.ArgumentParser(description="Export and import of a gallery.")
    made.add_argument("--people", type=int, nargs="+", default=[1_000, 10_000])
    given = made.parse_args()
    log.configure(level="warning")
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedRedis(Path(folder) / "redis")
        client = connect(server.start())
        try:
            client.config_set("slowlog-log-slower-than", 1000)
            for people in given.people:
                measure(client, server.url, people, Path(folder))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
