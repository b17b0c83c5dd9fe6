"""A user's own encoder: a Keras or ONNX file, its description and a projection beside it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import structlog
from numpy.typing import NDArray

from facetrail.errors import BadModelFile, BadSettings
from facetrail.wire import CHIP_SHAPE
from workers.encoders.openvino_runtime import SLICE
from workers.encoders.own_description import Description
from workers.encoders.runtime import NVIDIA, Device, Runtime

#: Behind an encoder's name: the mirrored chip averaged in.
MIRRORED = "+mirrored"
SUFFIXES = (".keras", ".onnx")
NUMBERS = 128
#: Chips that an encoder is tried with: a slice and one left over.
CHECKED = SLICE + 1
#: Beginnings of files that are often met in place of a model.
MISTAKEN = {
    b"version https://git-lfs": "a Git LFS pointer, not the file itself: run `git lfs pull`",
    b"<": "a web page, not a model: download the file itself",
}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class OwnEncoder:
    """id: the file's name without its end, and 8 digits of the SHA-256 of all that it is made of.

    projection: float32 `(m, 128)`, or None for an encoder of 128 numbers.
    code: the modules whose change makes an earlier conversion worthless.
    """

    path: Path
    description: Description
    projection: NDArray[np.float32] | None
    digest: str
    mirrored: bool

    code = (
        *("axis.py", "base.py", "own.py", "own_keras.py", "own_onnx.py"),
        *("nn4_small2.py", "retail0095.py"),  # layers of theirs may be in a Keras file
    )

    @property
    def id(self) -> str:
        return f"{self.path.stem}{MIRRORED if self.mirrored else ''}@{self.digest}"

    @property
    def threshold(self) -> float:
        return self.description.threshold

    @property
    def margin(self) -> float:
        return self.description.margin

    def builder(self, model_dir: Path | None, cache_dir: Path) -> Callable[[], Any]:
        """Makes what the runtime exports or runs; that raises BadModelFile."""
        return self.build

    def build(self) -> Any:
        """Raises BadModelFile, naming the shapes that differ."""
        if self.path.suffix == ".onnx":
            from workers.encoders.own_onnx import OnnxEncoder

            return OnnxEncoder(self)
        from workers.encoders.own_keras import keras_encoder

        return keras_encoder(self)

    def features(self) -> Callable[[NDArray[np.float32]], Any]:
        """Chips to the file's own numbers, `(n, m)`, of length 1. Raises BadModelFile."""
        if self.path.suffix == ".onnx":
            from workers.encoders.own_onnx import compiled_features

            return compiled_features(self)
        from workers.encoders.own_keras import keras_features

        return cast("Callable[[NDArray[np.float32]], Any]", keras_features(self))

    def check(self, runtime: Runtime) -> None:
        """Runs chips of noise, in each size that a batch is cut into.

        Raises BadModelFile for what are no encodings.
        """
        noise = np.random.default_rng(0).integers(0, 256, (CHECKED, *CHIP_SHAPE), dtype=np.uint8)
        try:
            found = runtime.run(noise)
        except RuntimeError as error:
            reason = str(error).strip().rpartition("\n")[2][:300]
            raise BadModelFile(f"{self.path} can't be run: {reason}") from error
        lengths = np.linalg.norm(found, axis=1)
        if found.shape != (CHECKED, NUMBERS) or not np.allclose(lengths, 1, atol=0.01):
            raise BadModelFile(
                f"{self.path}: expected encodings of shape ({CHECKED}, {NUMBERS}), length 1, got "
                f"{found.shape} of lengths {lengths}"
            )

    def device(self, wanted: Device) -> Device:
        """Where it runs: ONNX on the CPU, by OpenVINO."""
        if self.path.suffix != ".onnx":
            return wanted
        if wanted == "gpu" or (wanted == "auto" and NVIDIA.exists()):
            log.info("an ONNX encoder runs on the CPU, whatever else there is", encoder=self.id)
        return "cpu"

    def checked_width(self, width: int) -> None:
        """Raises BadModelFile where this many numbers do not become 128."""
        if self.projection is None and width != NUMBERS:
            raise BadModelFile(
                f"{self.path} gives {width} numbers and an encoding has {NUMBERS}: fit a "
                f"projection with `python -m training.projection PEOPLE --encoder {self.path}` and "
                f"name it in {self.path.with_suffix('.yml')}"
            )
        if self.projection is not None and self.projection.shape[0] != width:
            raise BadModelFile(
                f"{self.path} gives {width} numbers, but {self.description.projection} is a "
                f"projection of shape {self.projection.shape}, of {self.projection.shape[0]}"
            )


def is_own(name: str) -> bool:
    """Whether that is the path of an encoder's file, and not a name of the registry's."""
    return name.removesuffix(MIRRORED).endswith(SUFFIXES)


def check_name(path: Path) -> None:
    """Raises BadSettings for a file whose encoder could have no id."""
    if not re.fullmatch(r"[\w.-]{1,64}", path.stem):
        raise BadSettings(
            f"{path}: an encoder's file is named with 1 to 64 letters, digits, '_', '.' and '-'; "
            "name it so"
        )


def own_encoder(name: str, *, projected: bool = True) -> OwnEncoder:
    """Reads a path's description and projection; `+mirrored` may stand behind the path.

    projected: else the projection is left away, whether there is one or not.
    Raises BadModelFile, BadSettings.
    """
    path = Path(name.removesuffix(MIRRORED)).expanduser()
    data = _model_bytes(path)
    check_name(path)
    description = Description.read(path.with_suffix(".yml"))
    hashed = hashlib.sha256(hashlib.sha256(data).digest() + description.network.encode())
    projection = None
    if description.projection is not None and projected:
        projection = read_projection(path.with_name(description.projection))
        hashed.update(projection.tobytes())
    mirrored = name.endswith(MIRRORED)
    return OwnEncoder(path, description, projection, hashed.hexdigest()[:8], mirrored)


def read_projection(path: Path) -> NDArray[np.float32]:
    """Float32 `(m, 128)`. Raises BadModelFile."""
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadModelFile(f"{path} is not a projection that NumPy wrote: {error}") from error
    if not isinstance(found, np.ndarray) or found.ndim != 2 or found.shape[1] != NUMBERS:
        shape = getattr(found, "shape", type(found).__name__)
        raise BadModelFile(f"{path}: expected a projection of shape (m, {NUMBERS}), got {shape}")
    if found.dtype.kind != "f" or not np.isfinite(found).all():
        raise BadModelFile(f"{path}: expected finite float32 numbers, got {found.dtype}")
    return found.astype(np.float32)


def _model_bytes(path: Path) -> bytes:
    """Raises BadModelFile where there can be no model in the file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadModelFile(
            f"{path} can't be read ({error.strerror}): name an encoder's .keras or .onnx file"
        ) from error
    if not data:
        raise BadModelFile(f"{path} is empty: get the file again")
    for start, what in MISTAKEN.items():
        if data.lstrip().startswith(start):
            raise BadModelFile(f"{path} is {what}")
    return data
