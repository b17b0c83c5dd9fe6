"""The start of a worker with a large gallery: from its process's start until it can search.

    python -m benchmarks.gallery_start --faces LFW/images --people 500000

A Redis of its own is filled with drawn people, two photos each, as `index_search` draws them.
Then a process imports what a worker imports, reads the gallery and builds the index anew.
Opening the encoder's network is left out: `encoder_start` measures that.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.encoder_memory import resident_mb
from benchmarks.index_search import Drawn, spread_of
from facetrail import log
from facetrail.embedded_redis import EmbeddedRedis
from facetrail.store import Keys, connect
from facetrail.wire import Encodings
from index.gallery import Gallery
from index.person import new_person, spelling

ENCODER = "drawn@00000000"
PIPED = 500


def fill(gallery: Gallery, encodings: Encodings) -> None:
    """Enrols a person for every two rows."""
    keys = [*gallery.script_keys, gallery.keys.gallery_merging]
    for start in range(0, len(encodings), 2 * PIPED):
        with gallery.client.pipeline(transaction=False) as pipe:
            for row in range(start, min(start + 2 * PIPED, len(encodings)), 2):
                new = new_person(f"Person {row // 2}")
                parts: list[object] = [ENCODER, spelling(new.name), new.id]
                parts += [msgspec.json.encode(new), 1, ""]
                for encoding in encodings[row : row + 2]:
                    data = encoding.tobytes()
                    parts += [hashlib.sha256(data).hexdigest(), b"chip", data]
                gallery._enrol(keys=keys, args=parts, client=pipe)
            pipe.execute()


def start(url: str) -> None:
    """What a worker does before its first message, but for the network; as one line of JSON."""
    import workers.__main__  # noqa: F401  what its imports cost belongs to its start
    from index.replica import Replica

    imported = resident_mb()
    imports_s = _age_s()
    replica = Replica(connect(url), Keys(), worker="one", encoder=ENCODER)
    replica.load()
    ready_s = _age_s()
    probes = next(iter(replica.view.index.people().values()))[:1]
    began = time.perf_counter()
    replica.view.index.search(probes)
    told = {
        "imports_s": imports_s,
        "ready_s": ready_s,
        "search_ms": 1000 * (time.perf_counter() - began),
        "encodings": len(replica.view.index),
        "grown_mb": resident_mb() - imported,
    }
    print(json.dumps(told))


def _age_s() -> float:
    """Seconds since this process began."""
    after_name = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    ticks = int(after_name[19])  # field 22 of proc(5), in clock ticks since the machine's start
    return float(Path("/proc/uptime").read_text().split()[0]) - ticks / 100


def main() -> None:
    made = argparse.ArgumentParser(description="The start of a worker with a large gallery.")
    made.add_argument("--faces", type=Path, help="photos, a folder per person")
    made.add_argument("--encoder", default="retail0095", help="whose spread is drawn")
    made.add_argument("--people", type=int, default=500_000)
    made.add_argument("--start", metavar="URL", help="be the worker, as the benchmark starts it")
    given = made.parse_args()
    log.configure(level="warning")
    if given.start:
        start(given.start)
        return
    spread, _ = spread_of(given.faces, given.encoder)
    drawn = Drawn.of(spread, given.people, 1).enrolled
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedRedis(Path(folder))
        client = connect(server.start())
        try:
            client.config_set("appendonly", "no")  # what is measured is reading
            began = time.monotonic()
            fill(Gallery(client, Keys()), np.ascontiguousarray(drawn))
            print(f"{len(drawn)} encodings enrolled in {time.monotonic() - began:.0f} s")
            for _ in range(2):
                command = [sys.executable, "-m", "benchmarks.gallery_start", "--start", server.url]
                done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
                told = json.loads(done.stdout)
                print(
                    f"{told['encodings']} encodings: searching {told['ready_s']:.1f} s after the "
                    f"process began, of which imports {told['imports_s']:.1f} s; "
                    f"{told['grown_mb']:.0f} MB"
                )
        finally:
            server.stop()


if __name__ == "__main__":
    main()
