"""`facetrail doctor` on the GPU: would the encoder run on the one that is here?"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

from facetrail.cli.finding import Finding, bad, good, warning
from facetrail.settings import Settings
from workers.encoders.own import MIRRORED
from workers.encoders.runtime import NVIDIA

#: A driver that hangs must not hold up the command.
DRIVER_S = 10.0
#: TensorFlow takes seconds to import, on a slow machine many.
TENSORFLOW_S = 120.0
NAMES = ("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
COUNT = "import tensorflow; print(len(tensorflow.config.list_physical_devices('GPU')))"
TO_CPU = "or set FACETRAIL_ENCODER_DEVICE=cpu"


def findings(settings: Settings) -> Iterator[Finding]:
    """Decides as `workers.encoders.runtime` does."""
    gpu = _gpu()
    if (settings.encoder or "").removesuffix(MIRRORED).endswith(".onnx"):
        yield good("gpu", "the encoder is an ONNX file, which runs on the CPU whatever there is")
    elif settings.encoder_device == "cpu":
        leaves = f", not on the GPU ({gpu})" if gpu else ""
        yield good("gpu", f"the encoder runs on the CPU{leaves}: FACETRAIL_ENCODER_DEVICE=cpu")
    elif settings.encoder_device == "auto" and gpu is None:
        yield good("gpu", "there is no NVIDIA GPU here: the encoder runs on the CPU")
    else:
        yield _of_tensorflow(gpu, _tensorflow_sees(), wanted=settings.encoder_device == "gpu")


def _gpu() -> str | None:
    """What is here, in NVIDIA's words; None if nothing is."""
    names = _output(NAMES, DRIVER_S)
    if names:
        return ", ".join(names.splitlines())
    return "NVIDIA's driver is loaded" if NVIDIA.exists() else None


def _tensorflow_sees() -> int | None:
    """GPUs; None if it can't be asked. In a process of its own, since it may say much, or crash."""
    said = _output((sys.executable, "-c", COUNT), TENSORFLOW_S)
    last = (said or "").rpartition("\n")[2]
    return int(last) if last.isdecimal() else None


def _output(command: Sequence[str], within_s: float) -> str | None:
    """What it prints on stdout, or None where it can't be run to its end."""
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=quiet,
            timeout=within_s,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip()


def _of_tensorflow(gpu: str | None, count: int | None, *, wanted: bool) -> Finding:
    """gpu: what is here. count: GPUs that TensorFlow sees. wanted: the operator asks for one."""
    if count and not wanted and not NVIDIA.exists():
        return warning(
            "gpu",
            f"TensorFlow sees a GPU ({gpu}), but {NVIDIA} is not there, so that the encoder runs "
            "on the CPU",
            "set FACETRAIL_ENCODER_DEVICE=gpu",
        )
    if count:
        kind = gpu or "not of NVIDIA"
        return good("gpu", f"TensorFlow sees {count} GPU ({kind}): the encoder runs there")
    cause = "TensorFlow can't be asked for GPUs" if count is None else "TensorFlow sees no GPU"
    here = f", though there is one ({gpu})" if gpu else ""
    if wanted:
        return bad("gpu", f"FACETRAIL_ENCODER_DEVICE=gpu, but {cause}{here}", _mend(gpu, count))
    return warning("gpu", f"{cause}{here}: the encoder runs on the CPU", _mend(gpu, count))


def _mend(gpu: str | None, count: int | None) -> str:
    if count is None:
        return f"see why `python -c 'import tensorflow'` fails, and install it anew, {TO_CPU}"
    if gpu is None:
        return f"install NVIDIA's driver and Facetrail's extra `gpu`, {TO_CPU}"
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return f"unset CUDA_VISIBLE_DEVICES, which hides it, {TO_CPU}"
    return (
        "install Facetrail's extra `gpu` (`pip install -c constraints.txt -e '.[gpu]'`; "
        f"docs/containers.md for containers), {TO_CPU}"
    )
