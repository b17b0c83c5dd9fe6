"""Verification on LFW by each encoder, through this project's detection and alignment.

python -m benchmarks.lfw --images lfw/images --pairs lfw/pairs.txt
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from facetrail import log
from facetrail.settings import read_settings
from ingest.faces.detect import open_detector
from training.faces import central_chips, encoded
from training.lfw import read_pairs, verify
from workers.encoders.registry import ENTRIES, open_encoder


def main() -> None:
    parser = argparse.ArgumentParser(description="Verification on LFW by each encoder.")
    parser.add_argument("--images", type=Path, required=True, help="a folder per person")
    parser.add_argument("--pairs", type=Path, required=True, help="LFW's pairs file")
    parser.add_argument("--detector", choices=("centerface", "yunet"), default="centerface")
    given = parser.parse_args()
    settings = read_settings()
    log.configure(level=settings.log_level)
    pairs = read_pairs(given.pairs, given.images)
    photos = sorted({photo for pair in pairs for photo in (pair.first, pair.second)})
    detector = open_detector(given.detector, threads=2, **settings.models)
    found, chips = central_chips(photos, detector)
    print(f"{given.detector}: a face in {len(found)} of {len(photos)} photos")
    for entry in ENTRIES:
        encoder = open_encoder(entry.name, precision=settings.encoder_precision, **settings.models)
        began = time.perf_counter()
        encodings = dict(zip(found, encoded(chips, encoder), strict=True))
        speed = len(chips) / (time.perf_counter() - began)
        figures = verify(pairs, encodings)
        print(
            f"{encoder.id}: accuracy {figures.accuracy:.4f} ± {figures.deviation:.4f}, "
            f"threshold {figures.threshold:.3f}, TAR {figures.tar[1e-2]:.4f} at FAR 1e-2, "
            f"{figures.tar[1e-3]:.4f} at 1e-3; {speed:.0f} faces/s"
        )


if __name__ == "__main__":
    main()
