"""The file that `--save` names: checked before the work, written aside and renamed."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image

from facetrail.cli.target import check_writable, unwritable
from facetrail.errors import BadSettings
from index.shown import shown

FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
#: The longest side that a format has, in pixels, as its libraries write it.
MOST_SIDE = {"JPEG": 65_500, "WEBP": 16_383}


def check_target(path: Path) -> None:
    """Raises BadSettings where no picture could be written to this path."""
    if path.suffix.lower() not in FORMATS:
        raise BadSettings(
            f"{shown(path)} is not called like a picture: end its name in .png or .jpg"
        )
    if os.path.isdir(path):
        raise BadSettings(f"{shown(path)} is a folder: name a file to save the picture in")
    check_writable(path)


def save(picture: Image.Image, path: Path) -> None:
    """Raises BadSettings; then nothing half-done stays."""
    kind = FORMATS[path.suffix.lower()]
    _check_size(picture, kind, path)
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        picture.save(new, kind)
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise unwritable(path, error) from error


def _check_size(picture: Image.Image, kind: str, path: Path) -> None:
    most = MOST_SIDE.get(kind, max(picture.size))
    if max(picture.size) > most:
        width, height = picture.size
        raise BadSettings(
            f"{shown(path)} would have {width}x{height} pixels, and a {kind} has at most {most} "
            "along a side: end its name in .png"
        )
