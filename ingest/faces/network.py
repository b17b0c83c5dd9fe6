"""A detector's network in OpenVINO: a picture in, its maps out."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import openvino
from openvino.preprocess import ColorFormat, PrePostProcessor

from ingest.faces.face import Floats, Picture

#: Sides of the network's input are multiples of this.
MULTIPLE = 32

Precision = Literal["auto", "f32", "bf16"]
Colours = Literal["RGB", "BGR"]


class Network:
    """One per thread: the request that runs it is its own.

    colours: the order in which the network wants them, as numbers from 0 to 255.
    precision: of its arithmetic; auto is bf16 where the processor has it. threads: of OpenVINO.
    """

    def __init__(
        self, model: Path, *, colours: Colours, precision: Precision, threads: int
    ) -> None:
        core = openvino.Core()
        network = core.read_model(model)
        network.reshape([1, 3, -1, -1])
        if precision == "auto":
            able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            precision = "bf16" if "BF16" in able else "f32"
        options = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
        }
        ready = core.compile_model(_of_pictures(network, colours), "CPU", options)
        self._request = ready.create_infer_request()

    def run(self, picture: Picture) -> list[Floats]:
        """The outputs for an RGB `(h, w, 3)` picture; the next run overwrites them.

        The picture is padded with black, right and below, to multiples of 32.
        """
        maps = self._request.infer([_padded(picture)[None]], share_inputs=True, share_outputs=True)
        return [np.asarray(maps[i])[0] for i in range(len(maps))]


def _of_pictures(network: openvino.Model, colours: Colours) -> openvino.Model:
    """The network with an input of bytes `(1, H, W, 3)`, RGB."""
    steps = PrePostProcessor(network)
    image = steps.input()
    image.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    image.tensor().set_color_format(ColorFormat.RGB)
    image.model().set_layout(openvino.Layout("NCHW"))
    image.preprocess().convert_element_type(openvino.Type.f32)
    if colours == "BGR":
        image.preprocess().convert_color(ColorFormat.BGR)
    return steps.build()


def _padded(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    padded = np.zeros((_rounded_up(height), _rounded_up(width), 3), np.uint8)
    padded[:height, :width] = picture
    return padded


def _rounded_up(side: int) -> int:
    return -(-side // MULTIPLE) * MULTIPLE
