"""Runs a converted network on a CPU, by OpenVINO."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facetrail.wire import CHIP_SHAPE, Chips, Encodings

if TYPE_CHECKING:
    import openvino

    from workers.encoders.runtime import Precision

#: Chips that a stream takes at a time, and the most streams: together one batch of 32.
SLICE = 4
STREAMS = 8


class OpenVinoRuntime:
    """A network compiled for slices of fixed sizes; one thread asks it.

    A large batch in one piece does not fit a core's cache, and a network for batches of any
    size is slower than one for a known size: `docs/speed.md`.
    """

    def __init__(
        self,
        model: Path,
        *,
        precision: Precision = "f32",
        threads: int = 0,
        slice_size: int = SLICE,
    ) -> None:
        cores = threads or len(os.sched_getaffinity(0))
        # Read once: networks compiled from one share its weights' pages.
        self._network = _read(model)
        self._options: dict[str, object] = {
            # Said because the default depends on the processor, and one gallery is read by
            # workers on many.
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": cores,
            "NUM_STREAMS": min(cores, STREAMS),
            # Else the workers of one machine would all be bound to its first cores.
            "ENABLE_CPU_PINNING": False,
        }
        self._slice_size = slice_size
        self._queues: dict[int, openvino.AsyncInferQueue] = {}

    def run(self, chips: Chips) -> Encodings:
        """Raises RuntimeError where OpenVINO can't run the network."""
        sliced = len(chips) - len(chips) % self._slice_size
        parts = [
            self._run_in(size, part)
            for size, part in ((self._slice_size, chips[:sliced]), (1, chips[sliced:]))
            if len(part)
        ]
        return np.concatenate(parts)

    def _run_in(self, size: int, chips: Chips) -> Encodings:
        """In slices of one size, which divides the number of chips."""
        queue = self._queue(size)
        width = self._network.output().partial_shape[1].get_length()
        found = np.full((len(chips) // size, size, width), np.nan, np.float32)

        def keep(request: openvino.InferRequest, place: int) -> None:
            found[place] = request.get_output_tensor(0).data

        queue.set_callback(keep)
        for place in range(len(found)):
            part = np.ascontiguousarray(chips[place * size : (place + 1) * size])
            queue.start_async([part], place)
        queue.wait_all()
        return found.reshape(len(chips), width)

    def _queue(self, size: int) -> openvino.AsyncInferQueue:
        """The network compiled for that size, when it is first needed."""
        if size not in self._queues:
            # What is left of a batch has all cores for each chip, and takes less memory so.
            streams: dict[str, object] = {} if size == self._slice_size else {"NUM_STREAMS": 1}
            self._queues[size] = _compiled(self._network, size, self._options | streams)
        return self._queues[size]


def _read(path: Path) -> openvino.Model:
    """The network, for chips as bytes."""
    import openvino
    from openvino.preprocess import PrePostProcessor

    prepared = PrePostProcessor(openvino.Core().read_model(path))
    prepared.input().tensor().set_element_type(openvino.Type.u8)
    return prepared.build()


def _compiled(
    network: openvino.Model, size: int, options: dict[str, object]
) -> openvino.AsyncInferQueue:
    """Takes uint8 `(size, 112, 112, 3)`, as many at a time as there are streams."""
    import openvino

    network.reshape([size, *CHIP_SHAPE])
    return openvino.AsyncInferQueue(openvino.compile_model(network, "CPU", options))
