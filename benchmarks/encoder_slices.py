"""Faces per second by the size of the slices in which a batch goes through OpenVINO.

    python -m benchmarks.encoder_slices --chips CELEBS

All sizes take turns, and medians are compared.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.encoder_rounds import Timing, in_turn
from benchmarks.encoder_subjects import Subject, read_chips, subject
from facetrail import log
from facetrail.settings import read_settings
from facetrail.wire import Chips
from workers.encoders.conversion import converted
from workers.encoders.openvino_runtime import OpenVinoRuntime

SIZES = (1, 2, 4, 8, 16, 32)


def main() -> None:
    made = argparse.ArgumentParser(description="Faces per second by the size of a slice.")
    made.add_argument("--chips", type=Path, required=True, help="a folder of aligned 112x112 JPEGs")
    made.add_argument("--encoders", nargs="+", default=["retail0095", "dlib_resnet", "nn4_small2"])
    made.add_argument("--rounds", type=int, default=9)
    made.add_argument("--threads", type=int, default=1)
    given = made.parse_args()
    settings = read_settings()
    log.configure(level="warning")
    chips = read_chips(given.chips, max(SIZES))
    print(f"faces/s of {len(chips)} in slices of {', '.join(map(str, SIZES))}, of processor time")
    with TemporaryDirectory() as folder:
        for name in given.encoders:
            one = subject(name, settings, Path(folder))
            timings = timed(one, chips, rounds=given.rounds, threads=given.threads)
            speeds = [len(chips) / timing.processor_s for timing in timings]
            print(f"{name:12}" + "".join(f"{speed:7.0f}" for speed in speeds))


def timed(one: Subject, chips: Chips, *, rounds: int, threads: int) -> list[Timing]:
    """Of each size, in their order."""
    model = converted(one.build, one.folder / one.name)
    runtimes = {
        str(size): OpenVinoRuntime(model, threads=threads, slice_size=size) for size in SIZES
    }
    runs = {size: partial(runtime.run, chips) for size, runtime in runtimes.items()}
    return list(in_turn(runs, rounds).values())


if __name__ == "__main__":
    main()
