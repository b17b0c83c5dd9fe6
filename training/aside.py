"""Files that are there whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facetrail.errors import TrainingStopped


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Where to write what is renamed to `path` once it is complete; a file or a folder.

    Raises TrainingStopped where it can't be written, as on a full disk; nothing half-written
    stays.
    """
    aside = path.with_name(f".aside-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(aside)
        yield aside
        aside.rename(path)
    except OSError as error:  # h5py has no number for some
        raise TrainingStopped(
            f"{path} can't be written ({error.strerror or error}): free the disk or choose "
            "another place, then start the same command again"
        ) from error
    finally:
        _remove(aside)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    elif path.exists():
        path.unlink()
