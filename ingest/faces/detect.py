"""Which detector finds the faces; one path for cameras, photos and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ingest.faces import centerface, yunet
from ingest.faces.face import Detector

DetectorName = Literal["centerface", "yunet"]


def open_detector(
    name: DetectorName,
    *,
    model_dir: Path | None,
    cache_dir: Path,
    width: int = 640,
    score: float = 0.5,
    threads: int = 1,
) -> Detector:
    """The detector of that name, its file verified. Raises BadModelFile.

    width: pixels of the longer side that a picture is scaled down to. score: 0 to 1.
    """
    if name == "yunet":
        file = yunet.FILE.open(model_dir, cache_dir)
        return yunet.YuNet(file, width=width, score=score)
    file = centerface.FILE.open(model_dir, cache_dir)
    return centerface.CenterFace(file, width=width, score=score, threads=threads)
