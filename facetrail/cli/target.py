"""Whether a file can be written, asked before the work that makes it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from facetrail.errors import BadSettings


def check_writable(path: Path) -> None:
    """Raises BadSettings where the folder of this path can't be written."""
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> BadSettings:
    return BadSettings(
        f"{path} can't be written ({error.strerror}): name a file in a folder that can be"
    )
