"""Which detector finds the faces; one path for cameras, photos and figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from facetrail.model_files import ModelFile
from ingest.faces import centerface, yunet
from ingest.faces.face import Detector
from ingest.faces.network import Precision

DetectorName = Literal["centerface", "yunet"]
DetectorChoice = Literal["auto", "centerface", "yunet"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A detector as `facetrail models list` shows it."""

    name: DetectorName
    architecture: str
    file: ModelFile


ENTRIES = (
    Entry("centerface", "CenterFace: anchor-free, on MobileNetV2", centerface.FILE),
    Entry("yunet", "YuNet: anchor-free, of depthwise separable convolutions", yunet.FILE),
)


def at_cameras(choice: DetectorChoice, *, model_dir: Path | None, cache_dir: Path) -> DetectorName:
    """The detector chosen; auto is YuNet, at a fourth of the cost, if its file is here."""
    if choice != "auto":
        return choice
    return "yunet" if yunet.FILE.find(model_dir, cache_dir) else "centerface"


def in_photos(choice: DetectorChoice) -> DetectorName:
    """The detector chosen; auto is CenterFace, which sees the fewest faces where none is."""
    return "centerface" if choice == "auto" else choice


def detector_file(name: DetectorName, *, model_dir: Path | None, cache_dir: Path) -> Path:
    """The verified file of the detector of that name. Raises BadModelFile."""
    entry = next(entry for entry in ENTRIES if entry.name == name)
    return entry.file.open(model_dir, cache_dir)


def open_detector(
    name: DetectorName,
    *,
    model_dir: Path | None,
    cache_dir: Path,
    width: int = 640,
    score: float = 0.5,
    precision: Precision = "f32",
    threads: int = 1,
) -> Detector:
    """The detector of that name, its file verified. Raises BadModelFile.

    width: pixels of the longer side that a picture is scaled down to. score: 0 to 1.
    precision, threads: of OpenVINO.
    """
    file = detector_file(name, model_dir=model_dir, cache_dir=cache_dir)
    make = yunet.YuNet if name == "yunet" else centerface.CenterFace
    return make(file, width=width, score=score, precision=precision, threads=threads)
