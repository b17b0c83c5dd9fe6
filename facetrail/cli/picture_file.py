"""The file that `--save` names: checked before the work, written aside and renamed."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image

from facetrail.cli.target import check_writable, unwritable
from facetrail.errors import BadSettings

FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}


def check_target(path: Path) -> None:
    """Raises BadSettings where no picture could be written to this path."""
    if path.suffix.lower() not in FORMATS:
        raise BadSettings(f"{path} is not called like a picture: end its name in .png or .jpg")
    if path.is_dir():
        raise BadSettings(f"{path} is a folder: name a file to save the picture in")
    check_writable(path)


def save(picture: Image.Image, path: Path) -> None:
    """Raises BadSettings; then nothing half-done stays."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        picture.save(new, FORMATS[path.suffix.lower()])
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise unwritable(path, error) from error
