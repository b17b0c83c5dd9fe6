"""How many faces per second each encoder takes, beside plain Keras in the same run.

    python -m benchmarks.encoder_speed --chips CELEBS
    python -m benchmarks.encoder_speed --chips CELEBS --device gpu --peak 989

Plain Keras is what a user would write: the network in a `tf.function`, or `predict_on_batch`;
the faster of the two. All ways take turns, and medians are compared. Whether a precision is
accurate enough, `facetrail evaluate lfw` says with FACETRAIL_ENCODER_PRECISION set.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.encoder_gpu import print_gpu_speed
from benchmarks.encoder_rounds import Timing, in_turn
from benchmarks.encoder_subjects import Subject, read_chips, subject
from facetrail import log
from facetrail.errors import FacetrailError
from facetrail.settings import read_settings
from facetrail.wire import Chips, Encodings
from workers.encoders.conversion import quieten_tensorflow
from workers.encoders.runtime import Precision

Way = Callable[[Chips], Encodings]
PLAIN = ("keras tf.function", "keras predict_on_batch")
SINGLY = ", one face per call"


def main() -> int:
    given = parser().parse_args()
    settings = read_settings()
    log.configure(level="warning")
    quieten_tensorflow()
    try:
        with TemporaryDirectory() as folder:
            measure(given, [subject(name, settings, Path(folder)) for name in given.encoders])
    except FacetrailError as error:
        print(f"encoder_speed: {error}", file=sys.stderr)
        return 1
    return 0


def measure(given: argparse.Namespace, subjects: list[Subject]) -> None:
    """Raises BadSettings where a GPU is asked for and there is none."""
    if given.device == "gpu":
        chips = read_chips(given.chips, given.batch or 256)
        print_gpu_speed(subjects, chips, rounds=given.rounds, peak_tflops=given.peak)
    else:
        chips = read_chips(given.chips, given.batch or 32)
        print_cpu_speed(subjects, chips, rounds=given.rounds, threads=given.threads)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description="Faces per second of each encoder.")
    made.add_argument("--chips", type=Path, required=True, help="a folder of aligned 112x112 JPEGs")
    made.add_argument("--encoders", nargs="+", default=["retail0095", "dlib_resnet", "nn4_small2"])
    made.add_argument("--batch", type=int, help="faces per call; 32, on a GPU 256")
    made.add_argument("--rounds", type=int, default=9)
    made.add_argument("--threads", type=int, default=2, help="of each way, on a CPU")
    made.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    made.add_argument("--peak", type=float, help="the GPU's TFLOP/s in bf16, from its data sheet")
    return made


def print_cpu_speed(subjects: list[Subject], chips: Chips, *, rounds: int, threads: int) -> None:
    limit_tensorflow(threads)
    print(f"{processor()}, {threads} threads, {len(chips)} faces, medians of {rounds} rounds")
    for one in subjects:
        ways = cpu_ways(one, threads)
        expected = ways[PLAIN[0]](chips)
        differences = {name: np.abs(way(chips) - expected).max() for name, way in ways.items()}
        timings = in_turn({name: partial(way, chips) for name, way in ways.items()}, rounds)
        print_table(one.name, timings, differences, len(chips))


def limit_tensorflow(threads: int) -> None:
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(threads)


def cpu_ways(one: Subject, threads: int) -> dict[str, Way]:
    """Plain Keras, and what a worker does; both also with one face per call."""
    plain = plain_ways(one.build())
    served = serving_ways(one, threads)
    singly = {f"{name}{SINGLY}": one_by_one(way) for name, way in (plain | served).items()}
    return plain | served | singly


def plain_ways(model: Any) -> dict[str, Way]:
    """What a user would write."""
    import tensorflow

    function = tensorflow.function(lambda chips: model(chips, training=False))
    return {
        PLAIN[0]: lambda chips: np.asarray(function(chips.astype(np.float32))),
        PLAIN[1]: lambda chips: np.asarray(model.predict_on_batch(chips.astype(np.float32))),
    }


def serving_ways(one: Subject, threads: int) -> dict[str, Way]:
    """A worker's, in each precision that the processor computes in."""
    import openvino

    able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    precisions: list[Precision] = ["f32", "bf16"] if "BF16" in able else ["f32"]
    return {f"facetrail {name}": one.runtime(name, threads=threads).run for name in precisions}


def one_by_one(way: Way) -> Way:
    return lambda chips: np.concatenate([way(chips[i : i + 1]) for i in range(len(chips))])


def print_table(
    name: str, timings: dict[str, Timing], differences: dict[str, float], faces: int
) -> None:
    """Wall: by the clock. Processor: by the time of all threads, whatever else ran."""
    plain = fastest(timings, PLAIN)
    singly = fastest(timings, tuple(way + SINGLY for way in PLAIN))
    print(f"\n{name:40} faces/s  x plain wall  processor  x singly  largest difference")
    for way, timing in timings.items():
        print(
            f"  {way:38} {faces / timing.wall_s:7.0f} {plain.wall_s / timing.wall_s:13.2f}"
            f" {plain.processor_s / timing.processor_s:10.2f}"
            f" {singly.wall_s / timing.wall_s:9.2f}  {differences[way]:.1e}"
        )


def fastest(timings: dict[str, Timing], names: tuple[str, ...]) -> Timing:
    """By the clock."""
    return min((timings[name] for name in names), key=lambda timing: timing.wall_s)


def processor() -> str:
    """Its name, and of what it has for bf16 the names the kernel gives."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    fields = dict(line.split("\t", 1) for line in lines if "\t" in line)
    known = {key.strip(): value.strip(" :\t") for key, value in fields.items()}
    flags = [flag for flag in ("avx512_bf16", "amx_bf16") if flag in known.get("flags", "").split()]
    return f"{known.get('model name', 'unknown processor')} ({', '.join(flags) or 'no bf16'})"


if __name__ == "__main__":
    sys.exit(main())
