"""What the encoder benchmarks run: an encoder's Keras network and its runtimes, on real chips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facetrail.settings import Settings
from facetrail.wire import Chips
from workers.encoders.registry import entry_of
from workers.encoders.runtime import Build, Device, Precision, Runtime, open_runtime


@dataclass(frozen=True, slots=True)
class Subject:
    """An encoder's network, and the folder of its conversion."""

    name: str
    build: Build
    folder: Path

    def runtime(self, precision: Precision, *, threads: int, device: Device = "cpu") -> Runtime:
        """Raises BadSettings where there is no such device."""
        return open_runtime(
            self.build,
            key=self.name,
            cache_dir=self.folder,
            device=device,
            precision=precision,
            threads=threads,
        )


def subject(name: str, settings: Settings, folder: Path) -> Subject:
    """An encoder of the registry's. Raises BadModelFile, EncoderMismatch."""
    return Subject(name, entry_of(name).builder(**settings.models), folder)


def read_chips(folder: Path, count: int) -> Chips:
    """Uint8 `(count, 112, 112, 3)` RGB: the folder's first ones, again if they are fewer."""
    paths = sorted(folder.rglob("*.jpg"))[:count]
    found = [cv2.imread(str(path)) for path in paths]
    chips = np.stack([np.asarray(chip[..., ::-1], np.uint8) for chip in found if chip is not None])
    return chips[np.arange(count) % len(chips)]
