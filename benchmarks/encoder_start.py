"""How soon a fresh process has encoded one face and a full batch, and what memory it then takes.

    python -m benchmarks.encoder_start

Each encoder is converted before; what is measured are later starts. Seconds count from before
the interpreter's own start; beside them those that the processor worked, whatever else ran.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from statistics import median
from typing import Any

from facetrail.settings import read_settings
from workers.encoders.registry import ENTRIES

START = """
import sys, time
import numpy as np
from facetrail.settings import read_settings
from workers.encoders.registry import open_encoder
settings = read_settings()
encoder = open_encoder(sys.argv[1], device="cpu", threads=int(sys.argv[2]), **settings.models)
for size in (1, 32):  # as a worker warms up
    encoder.encode(np.zeros((size, 112, 112, 3), np.uint8))
"""
TENSORFLOW = "import sys, time, tensorflow"
REPORT = """
import json, resource
seconds = time.time() - float(sys.argv[3])
kilobytes = dict(line.split(":") for line in open("/proc/self/status"))["VmRSS"].split()[0]
print(json.dumps({
    "seconds": seconds,
    "processor_s": time.process_time(),
    "rss_mb": int(kilobytes) / 1024,
    "heavy": sorted({"tensorflow", "keras"} & set(sys.modules)),
}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Start and memory of each encoder on a CPU.")
    parser.add_argument("--encoders", nargs="+", default=on_disk())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    for name in given.encoders:
        started(START, name, given.threads)  # converts
    print("of a fresh process                ready s  processor s  resident MB  imports")
    print_starts("import tensorflow", TENSORFLOW, "-", given)
    for name in given.encoders:
        print_starts(name, START, name, given)


def on_disk() -> list[str]:
    """The encoders whose files are there."""
    models = read_settings().models
    return [entry.name for entry in ENTRIES if entry.is_here(**models)]


def print_starts(title: str, code: str, name: str, given: argparse.Namespace) -> None:
    found = [started(code, name, given.threads) for _ in range(given.rounds)]
    seconds, processor_s, rss_mb = (
        median(one[key] for one in found) for key in ("seconds", "processor_s", "rss_mb")
    )
    heavy = ", ".join(found[0]["heavy"]) or "neither TensorFlow nor Keras"
    print(f"{title:30} {seconds:10.2f} {processor_s:12.2f} {rss_mb:12.0f}  {heavy}")


def started(code: str, name: str, threads: int) -> dict[str, Any]:
    """What a fresh process says of itself."""
    command = [sys.executable, "-c", code + REPORT, name, str(threads), str(time.time())]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


if __name__ == "__main__":
    main()
