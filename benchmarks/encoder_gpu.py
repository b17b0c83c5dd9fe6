"""How near an encoder comes to what a GPU's arithmetic alone would allow."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import prod
from typing import Any

import numpy as np

from benchmarks.encoder_rounds import in_turn
from benchmarks.encoder_subjects import Subject
from facetrail.wire import Chips
from workers.encoders.runtime import Precision

PRECISIONS: tuple[Precision, ...] = ("f32", "bf16")


def print_gpu_speed(
    subjects: list[Subject], chips: Chips, *, rounds: int, peak_tflops: float | None
) -> None:
    """peak_tflops: of the GPU in bf16; without it no share is printed. Raises BadSettings
    where there is no GPU.
    """
    for one in subjects:
        runs = {name: one.runtime(name, threads=0, device="gpu").run for name in PRECISIONS}
        expected = runs["f32"](chips)
        timings = in_turn({name: partial(run, chips) for name, run in runs.items()}, rounds)
        needed = flops(one.build())
        print(f"\n{one.name}: {needed / 1e9:.2f} GFLOP per face, {len(chips)} faces per call")
        for name, run in runs.items():
            rate = len(chips) / timings[name].wall_s
            difference = np.abs(run(chips) - expected).max()
            share = "" if peak_tflops is None else f", {rate * needed / peak_tflops / 1e10:.1f} %"
            print(f"  {name:5} {rate:8.0f} faces/s{share}, largest difference {difference:.1e}")


def flops(model: Any) -> int:
    """Of one face, in convolutions and dense layers: two for each product and its sum."""
    return sum(_flops(layer) for layer in _layers(model))


def _layers(model: Any) -> Iterator[Any]:
    """All, also those of networks inside the network."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _layers(layer)
        else:
            yield layer


def _flops(layer: Any) -> int:
    if not hasattr(layer, "kernel"):
        return 0
    places = prod(layer.output.shape[1:-1])  # one for a dense layer
    return int(2 * places * prod(layer.kernel.shape))
