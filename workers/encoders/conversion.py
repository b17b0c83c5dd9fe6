"""A Keras network becomes OpenVINO's file, once, in the cache folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from facetrail.errors import BadModelFile, BadSettings

if TYPE_CHECKING:
    import keras

    from workers.encoders.runtime import Build

log = structlog.get_logger(__name__)


def converted(build: Build, folder: Path) -> Path:
    """The network's OpenVINO file, converted into `folder` unless it lies there.

    Written aside and renamed, so another process sees all of it or nothing. Raises
    BadSettings if the cache can't be written, BadModelFile for what OpenVINO can't take.
    """
    if not folder.is_dir():
        log.info("the encoder is converted for this machine, once", folder=str(folder))
        quieten_tensorflow()
        network = build()
        aside = _aside(folder.parent)
        try:
            _export(network, aside / "model.xml", name=folder.name)
            aside.rename(folder)
        except OSError as error:
            if not folder.is_dir():  # else another process was first
                raise _unwritable(folder.parent, error) from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return folder / "model.xml"


def _aside(parent: Path) -> Path:
    """A new folder in another. Raises BadSettings if there can be none."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=".aside-", dir=parent))
    except OSError as error:
        raise _unwritable(parent, error) from error


def _export(network: keras.Model, path: Path, *, name: str) -> None:
    """Raises OSError, BadModelFile."""
    try:
        network.export(str(path), format="openvino", verbose=False)
    except OSError:
        raise
    except Exception as error:  # OpenVINO's own have nothing else in common
        reason = str(error).strip().partition("\n")[0][:300]
        if "Can't open" in reason:  # how it says that a file can't be written
            raise OSError(reason) from error
        raise BadModelFile(f"{name} can't be converted for OpenVINO: {reason}") from error


def _unwritable(folder: Path, error: OSError) -> BadSettings:
    return BadSettings(
        f"{folder} can't be written ({error.strerror or error}): free the disk, or name another "
        "folder in FACETRAIL_CACHE_DIR"
    )


def quieten_tensorflow() -> None:
    """Leaves its errors; read once, when TensorFlow is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
