"""A user's ONNX file becomes an encoder, by OpenVINO alone."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13 as ops

from facetrail.errors import BadModelFile
from workers.encoders.axis import CHIP_SIDE, MIRRORED_COLUMNS, Axis
from workers.encoders.own_description import Description, Part

if TYPE_CHECKING:
    from workers.encoders.own import OwnEncoder

#: A node or an output of OpenVINO's graph, which has no types.
Node = Any


class OnnxEncoder:
    """`(n, 112, 112, 3)` chips to `(n, 128)` of length 1; exported as a Keras network is."""

    def __init__(self, own: OwnEncoder) -> None:
        """Raises BadModelFile, naming the shapes that differ."""
        self.model = onnx_encoder(own)

    def export(self, path: str, **_: object) -> None:
        """Writes OpenVINO's two files."""
        openvino.save_model(self.model, path, compress_to_fp16=False)


def onnx_encoder(own: OwnEncoder) -> openvino.Model:
    """The whole encoder. Raises BadModelFile."""
    chips = _chips()
    x = _both(chips) if own.mirrored else chips
    x = _features(x, own)
    own.checked_width(x.get_output_partial_shape(0)[1].get_length())
    if own.projection is not None:
        x = _unit(ops.matmul(x, own.projection, False, False))
    if own.mirrored:
        chip, image = ops.split(x, 0, 2).outputs()
        x = _unit(ops.add(chip, image))
    return openvino.Model([ops.result(x)], [chips], "own")


def compiled_features(own: OwnEncoder) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Float32 chips to the file's own numbers, `(n, m)`, of length 1. Raises BadModelFile."""
    chips = _chips()
    model = openvino.Model([ops.result(_features(chips, own))], [chips], "own_features")
    network = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda given: np.array(network([given])[0])


def _chips() -> Node:
    shape = openvino.PartialShape([-1, CHIP_SIDE, CHIP_SIDE, 3])
    return ops.parameter(shape, np.float32, name="chips")


def _both(chips: Node) -> Node:
    """The chips, and after them their mirror images."""
    columns = np.array(MIRRORED_COLUMNS, np.int32)
    return ops.concat([chips, ops.gather(chips, columns, np.int32(2))], 0)


def _features(chips: Node, own: OwnEncoder) -> Node:
    network = _loaded(own)
    given, found = network.inputs[0], network.outputs[0]
    result = found.get_node().input_value(0)
    given.get_node().output(0).replace(_prepared(chips, own.description).output(0))
    return _unit(result)


def _unit(x: Node) -> Node:
    return ops.normalize_l2(x, np.array([1], np.int64), 1e-12, "max")


def _prepared(x: Node, how: Description) -> Node:
    if (how.side, how.crop) != (CHIP_SIDE, Part()):
        x = _cropped(x, how)
    if how.channels == "bgr":
        x = ops.gather(x, np.array([2, 1, 0], np.int32), np.int32(3))
    x = ops.divide(
        ops.subtract(x, np.asarray(how.mean, np.float32)), np.asarray(how.scale, np.float32)
    )
    return ops.transpose(x, np.array([0, 3, 1, 2])) if how.layout == "nchw" else x


def _cropped(x: Node, how: Description) -> Node:
    """As `base.Crop`: a matrix product for each axis."""
    rows = Axis.between(how.crop.top, how.crop.bottom, how.side).weights(CHIP_SIDE)
    columns = Axis.between(how.crop.left, how.crop.right, how.side).weights(CHIP_SIDE)
    x = ops.transpose(x, np.array([0, 3, 1, 2]))  # (n, 3, h, w)
    x = ops.matmul(ops.matmul(rows, x, False, False), columns.T.copy(), False, False)
    return ops.transpose(x, np.array([0, 2, 3, 1]))


def _loaded(own: OwnEncoder) -> openvino.Model:
    """The file's network for any number of chips. Raises BadModelFile."""
    try:
        network = openvino.Core().read_model(io.BytesIO(own.path.read_bytes()))
    except RuntimeError as error:
        raise BadModelFile(f"{own.path} is not an ONNX file that OpenVINO can read") from error
    takes, gives = (
        [openvino.PartialShape(one.partial_shape) for one in ends]
        for ends in (network.inputs, network.outputs)
    )
    wanted = openvino.PartialShape([-1 if n is None else n for n in own.description.shape])
    if len(takes) != 1 or not takes[0].compatible(wanted):
        raise BadModelFile(
            f"{own.path}: expected one input of shape {_shown(wanted)}, as {own.path.stem}.yml "
            f"says, got {_listed(takes)}"
        )
    if len(gives) != 1 or network.inputs[0].element_type != openvino.Type.f32:
        raise BadModelFile(
            f"{own.path}: expected one input of f32 and one output, got "
            f"{network.inputs[0].element_type.get_type_name()} and {len(gives)} outputs"
        )
    try:
        network.reshape(wanted)
    except RuntimeError as error:
        raise BadModelFile(f"{own.path} {_FIXED}") from error
    found = network.outputs[0].partial_shape
    if found.rank != 2 or found[1].is_dynamic:
        raise BadModelFile(f"{own.path}: expected an output of shape (n, 128), got {_shown(found)}")
    if found[0].is_static:
        raise BadModelFile(f"{own.path} {_FIXED}")
    return network


_FIXED = "takes only batches of one size: export it with a free first axis"


def _listed(shapes: list[openvino.PartialShape]) -> str:
    return " and ".join(map(_shown, shapes)) or "none"


def _shown(shape: openvino.PartialShape) -> str:
    """As `(n, 112, 112, 3)`."""
    sizes = ["n" if one.is_dynamic else str(one.get_length()) for one in shape]
    return f"({', '.join(sizes)})"
