"""An encoder that reads from a chip whose it is: for measuring everything around an encoder.

    FACETRAIL_REDIS_URL=… python -m benchmarks.stand_in --sleep-ms 200

runs a worker with it. Each chip bears sixteen squares, black or white, which are a number; the
encoding is a row of a fixed table. All else is a worker as it is.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from functools import cache
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np

from facetrail import log
from facetrail.errors import BadPicture
from facetrail.settings import read_settings
from facetrail.wire import Chips, Encodings
from workers import __main__ as worker

ID = "stand_in@00000000"
SQUARE = 10  # pixels
ACROSS = 4
MOST = 1 << (ACROSS * ACROSS)
BATCH = 32


@cache
def rows() -> Encodings:
    """The encodings of all numbers, float32 `(65536, 128)`; about 1.4 apart."""
    drawn = np.random.default_rng(7).normal(size=(MOST, 128)).astype(np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def marked(chip: Chips, number: int) -> Chips:
    """A chip, uint8 `(112, 112, 3)`, that bears a number."""
    made = chip.copy()
    for place in range(ACROSS * ACROSS):
        down, across = divmod(place, ACROSS)
        top, left = (28 * at + 14 - SQUARE // 2 for at in (down, across))
        made[top : top + SQUARE, left : left + SQUARE] = 255 * (number >> place & 1)
    return made


def numbers(chips: Chips) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """What chips bear, `(n,)`."""
    bits = chips[:, 14::28, 14::28, 1].reshape(len(chips), -1) > 127
    return np.asarray(bits @ (1 << np.arange(bits.shape[1])), np.int64)


class StandIn:
    """Reads numbers; takes so long for a full batch, and less for a part of one."""

    id = ID
    threshold = 0.9
    margin = 0.05

    def __init__(self, sleep_s: float = 0.0) -> None:
        self._sleep_s = sleep_s
        rows()

    def encode(self, chips: Chips) -> Encodings:
        if chips.any():  # not at the warm-up, whose chips are black
            time.sleep(self._sleep_s * len(chips) / BATCH)
        return rows()[numbers(chips)]


def jpeg_of(picture: Chips, quality: int = 95) -> bytes:
    """Of an RGB picture."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    return cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), options)[1].tobytes()


def read(path: Path) -> Chips:
    """An aligned chip, RGB."""
    found = cv2.imread(str(path))
    if found is None:
        raise BadPicture("not_an_image", f"{path} is no picture")
    return np.asarray(found[..., ::-1], np.uint8)


def main() -> int:
    made = argparse.ArgumentParser(description="A worker with a stand-in for the encoder.")
    made.add_argument("--sleep-ms", type=float, default=0.0, help="for each batch of 32")
    given = made.parse_args()
    os.environ.pop("FACETRAIL_ENCODER", None)
    warnings.filterwarnings("ignore", message="You're running the worker with superuser")
    settings = read_settings()
    log.configure(level=settings.log_level)
    encoder = StandIn(given.sleep_ms / 1000)
    with patch.object(worker, "chosen_encoder", lambda own, settings: encoder):
        return worker.run(settings)


if __name__ == "__main__":
    sys.exit(main())
