"""How an encoder's network is run: OpenVINO on a CPU, TensorFlow on a GPU.

The network converted for OpenVINO is kept in the cache folder under the hash of weights and
code, so that later starts import neither TensorFlow nor Keras.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import structlog

from facetrail.errors import BadSettings
from facetrail.wire import Chips, Encodings

if TYPE_CHECKING:
    import keras

Build = Callable[[], "keras.Model"]
Device = Literal["auto", "cpu", "gpu"]
#: There where NVIDIA's driver is; asked first, since importing TensorFlow takes seconds.
NVIDIA = Path("/proc/driver/nvidia/version")

log = structlog.get_logger(__name__)


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
    precision: Literal["f32", "bf16"] = "f32",
    threads: int = 0,
) -> Runtime:
    """The fastest runtime there is for this network.

    build: makes the Keras network; not called if its conversion is in the cache.
    key: names weights and code together. threads: on a CPU; 0 is one per core.
    Raises BadSettings where a GPU is asked for and there is none.
    """
    if device == "gpu" or (device == "auto" and NVIDIA.exists()):
        _quieten_tensorflow()
        if _tensorflow_sees_a_gpu():
            return TensorFlowRuntime(build())
    if device == "gpu":
        raise BadSettings(
            "FACETRAIL_ENCODER_DEVICE=gpu, but TensorFlow sees no GPU: install NVIDIA's driver "
            "and Facetrail's extra `gpu`, or set it to cpu"
        )
    model = converted(build, cache_dir / "openvino" / key)
    return OpenVinoRuntime(model, precision=precision, threads=threads)


class OpenVinoRuntime:
    """One compiled network; one thread runs it."""

    def __init__(
        self, model: Path, *, precision: Literal["f32", "bf16"] = "f32", threads: int = 0
    ) -> None:
        import openvino

        # The precision is said because the default depends on the processor, and one
        # gallery is read by workers on many.
        options: dict[str, object] = {
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads or len(os.sched_getaffinity(0)),
        }
        self._request = openvino.compile_model(model, "CPU", options).create_infer_request()

    def run(self, chips: Chips) -> Encodings:
        result = self._request.infer([chips.astype(np.float32)], share_inputs=True)
        return np.array(result[0])  # a copy: the next run writes over the result's memory


class TensorFlowRuntime:
    """The Keras network as one compiled function, in batches of fixed sizes.

    A size seen for the first time costs a compilation, so batches are filled up to the next
    power of two.
    """

    def __init__(self, model: keras.Model) -> None:
        import tensorflow

        def call(chips: object) -> object:
            return model(chips, training=False)

        self._call = tensorflow.function(call, jit_compile=True, reduce_retracing=False)

    def run(self, chips: Chips) -> Encodings:
        count = len(chips)
        filled = np.zeros((1 << (count - 1).bit_length(), *chips.shape[1:]), np.float32)
        filled[:count] = chips
        return np.asarray(self._call(filled), np.float32)[:count]


def converted(build: Build, folder: Path) -> Path:
    """The network's OpenVINO file, converted into `folder` unless it lies there.

    Written aside and renamed, so another process sees all of it or nothing. Raises
    BadSettings if the cache can't be written.
    """
    if not folder.is_dir():
        log.info("the encoder is converted for this machine, once", folder=str(folder))
        _quieten_tensorflow()
        aside = _aside(folder.parent)
        try:
            build().export(str(aside / "model.xml"), format="openvino", verbose=False)
            aside.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was first
                raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return folder / "model.xml"


def _aside(parent: Path) -> Path:
    """A new folder in another. Raises BadSettings if there can be none."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=".aside-", dir=parent))
    except OSError as error:
        raise BadSettings(
            f"{parent} can't be written ({error.strerror}): name another folder in "
            "FACETRAIL_CACHE_DIR"
        ) from error


def _quieten_tensorflow() -> None:
    """Leaves its errors; read once, when TensorFlow is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def _tensorflow_sees_a_gpu() -> bool:
    import tensorflow

    return bool(tensorflow.config.list_physical_devices("GPU"))
