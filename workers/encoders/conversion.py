"""A Keras network becomes OpenVINO's file, once, in the cache folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from facetrail.errors import BadSettings

if TYPE_CHECKING:
    from workers.encoders.runtime import Build

log = structlog.get_logger(__name__)


def converted(build: Build, folder: Path) -> Path:
    """The network's OpenVINO file, converted into `folder` unless it lies there.

    Written aside and renamed, so another process sees all of it or nothing. Raises
    BadSettings if the cache can't be written.
    """
    if not folder.is_dir():
        log.info("the encoder is converted for this machine, once", folder=str(folder))
        quieten_tensorflow()
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


def quieten_tensorflow() -> None:
    """Leaves its errors; read once, when TensorFlow is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
