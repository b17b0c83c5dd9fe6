"""Several detectors as one that many threads may use at once."""

from __future__ import annotations

from collections.abc import Iterable
from queue import SimpleQueue

from ingest.faces.face import Detector, Face, Picture


class Detectors:
    """A `Detector` for as many threads as it is given detectors; more wait for one."""

    def __init__(self, detectors: Iterable[Detector]) -> None:
        self._free: SimpleQueue[Detector] = SimpleQueue()
        for detector in detectors:
            self._free.put(detector)

    def detect(self, picture: Picture) -> list[Face]:
        """Faces in an RGB `(h, w, 3)` picture, in its pixels, best score first."""
        detector = self._free.get()
        try:
            return detector.detect(picture)
        finally:
            self._free.put(detector)
