"""Whether a photo that comes from outside is one the gallery can keep."""

from __future__ import annotations

import io
import re

import numpy as np
from PIL.JpegImagePlugin import JpegImageFile

from facetrail.errors import GalleryError
from facetrail.wire import CHIP_SHAPE
from index.lengths import of_length_one
from index.photo import RECORD, Photo

MOST_CHIP = 200_000  # bytes
MOST_SOURCE = 1_000  # characters
BYTES = RECORD["encoding"].itemsize

_DIGEST = re.compile(r"[0-9a-f]{64}")


def checked_photo(photo: Photo) -> Photo:
    """The photo. Raises GalleryError, naming it by its digest."""
    if not _DIGEST.fullmatch(photo.digest):
        raise GalleryError(f"expected a photo's SHA-256 as 64 digits, got {photo.digest[:70]!r}")
    wrong = _wrong(photo)
    if wrong:
        raise GalleryError(f"photo {photo.digest[:12]} {wrong}: leave it out")
    return photo


def _wrong(photo: Photo) -> str | None:
    """What is wrong with it, as the end of a sentence."""
    if len(photo.source) > MOST_SOURCE:
        return f"has a source of {len(photo.source)} characters, expected at most {MOST_SOURCE}"
    if not is_encoding(photo.encoding):
        return f"has an encoding that is not {BYTES} bytes of length 1"
    if len(photo.chip) > MOST_CHIP:
        return f"has a chip of {len(photo.chip)} bytes, expected at most {MOST_CHIP}"
    return None if is_chip(photo.chip) else "has a chip that is no 112x112 JPEG in colour"


def is_encoding(data: bytes) -> bool:
    """Whether these are 128 little-endian float32 of length 1."""
    if len(data) != BYTES:
        return False
    return bool(of_length_one(np.frombuffer(data, "<f4").astype(np.float32)[None])[0])


def is_chip(data: bytes) -> bool:
    """Whether it is a whole JPEG of a chip's shape. One that says otherwise is not decoded."""
    try:
        with JpegImageFile(io.BytesIO(data)) as picture:
            if (picture.height, picture.width, len(picture.getbands())) != CHIP_SHAPE:
                return False
            picture.load()
    except (OSError, SyntaxError, ValueError):
        return False
    return picture.mode == "RGB"
