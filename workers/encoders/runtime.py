"""How an encoder's network is run: OpenVINO on a CPU, TensorFlow on a GPU.

The network converted for OpenVINO is kept in the cache folder under the hash of weights and
code, so that later starts import neither TensorFlow nor Keras.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from facetrail.errors import BadSettings
from facetrail.wire import Chips, Encodings
from workers.encoders.conversion import converted, quieten_tensorflow
from workers.encoders.openvino_runtime import OpenVinoRuntime

if TYPE_CHECKING:
    import keras

Build = Callable[[], "keras.Model"]
Device = Literal["auto", "cpu", "gpu"]
Precision = Literal["f32", "bf16"]
#: There where NVIDIA's driver is; asked first, since importing TensorFlow takes seconds.
NVIDIA = Path("/proc/driver/nvidia/version")


class Runtime(Protocol):
    """Runs a network on batches."""

    def run(self, chips: Chips) -> Encodings:
        """Uint8 `(n, 112, 112, 3)` to float32 `(n, 128)`."""
        ...


def open_runtime(
    build: Build,
    *,
    key: str,
    cache_dir: Path,
    device: Device = "auto",
    precision: Precision = "f32",
    threads: int = 0,
) -> Runtime:
    """The fastest runtime there is for this network.

    build: makes the Keras network; not called if its conversion is in the cache.
    key: names weights and code together. precision: of its arithmetic, not of the encodings.
    threads: on a CPU; 0 is one per core.
    Raises BadSettings where a GPU is asked for and there is none.
    """
    if device == "gpu" or (device == "auto" and NVIDIA.exists()):
        quieten_tensorflow()
        if _tensorflow_sees_a_gpu():
            from workers.encoders.tensorflow_runtime import TensorFlowRuntime, in_precision

            return TensorFlowRuntime(in_precision(build, precision))
    if device == "gpu":
        raise BadSettings(
            "FACETRAIL_ENCODER_DEVICE=gpu, but TensorFlow sees no GPU: install NVIDIA's driver "
            "and Facetrail's extra `gpu`, or set it to cpu"
        )
    model = converted(build, cache_dir / "openvino" / key)
    return OpenVinoRuntime(model, precision=precision, threads=threads)


def _tensorflow_sees_a_gpu() -> bool:
    import tensorflow

    return bool(tensorflow.config.list_physical_devices("GPU"))
