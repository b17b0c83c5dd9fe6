"""Whether an encoder's memory stays flat over very many chips.

    python -m benchmarks.encoder_memory --chips CELEBS

Once in batches of 32 and once in batches of all sizes from 1 to 64. The exit status is 1 where
the memory grew by more than is allowed after the first tenth.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.encoder_subjects import read_chips
from facetrail import log
from facetrail.settings import read_settings
from facetrail.wire import Chips, Encoder
from workers.encoders.registry import open_encoder

FULL = 32
LARGEST = 64
SAMPLES = 10


def main() -> int:
    given = parser().parse_args()
    log.configure(level="warning")
    encoder = open_encoder(
        given.encoder, device="cpu", threads=given.threads, **read_settings().models
    )
    chips = read_chips(given.chips, LARGEST)
    random = np.random.default_rng(0)
    kinds: dict[str, Callable[[], int]] = {
        "batches of 32": lambda: FULL,
        "batches of 1 to 64": lambda: int(random.integers(1, LARGEST + 1)),
    }
    grown = [print_growth(name, encoder, chips, size, given.count) for name, size in kinds.items()]
    return int(max(grown) > given.allowed)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description="An encoder's memory over very many chips.")
    made.add_argument("--chips", type=Path, required=True, help="a folder of aligned 112x112 JPEGs")
    made.add_argument("--encoder", default="dlib_resnet")
    made.add_argument("--count", type=int, default=100_000, help="chips, of each kind of batches")
    made.add_argument("--allowed", type=float, default=20, help="growth in MB")
    made.add_argument("--threads", type=int, default=2)
    return made


def print_growth(
    name: str, encoder: Encoder, chips: Chips, size: Callable[[], int], count: int
) -> float:
    """The growth in MB from the first tenth on."""
    print(f"{encoder.id}, {name}: resident MB after so many chips", flush=True)
    samples = []
    for done in encoded_in(encoder, chips, size, count):
        samples.append(resident_mb())
        print(f"  {done:8} {samples[-1]:8.1f}", flush=True)
    print(f"  grown by {samples[-1] - samples[0]:.1f} MB")
    return samples[-1] - samples[0]


def encoded_in(
    encoder: Encoder, chips: Chips, size: Callable[[], int], count: int
) -> Iterator[int]:
    """Yields how many are encoded, at each tenth of the count."""
    done, tenth = 0, 0
    while done < count:
        done += len(encoder.encode(chips[: size()]))
        if done * SAMPLES // count > tenth:
            tenth = done * SAMPLES // count
            yield done


def resident_mb() -> float:
    """Of this process."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    sys.exit(main())
