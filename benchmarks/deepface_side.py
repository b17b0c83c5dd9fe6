"""What a user of DeepFace would write: represent each crop, compare it with all that are enrolled.

Runs in an environment of its own, so it imports nothing of Facetrail's. Called by
`benchmarks.compare_deepface`; prints faces a second.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from deepface import DeepFace  # type: ignore[import-not-found,unused-ignore]

PEOPLE = 10_000


def encoding(picture: Any, model: str) -> Any:
    found = DeepFace.represent(
        picture, model_name=model, detector_backend="skip", enforce_detection=False, align=False
    )
    row = np.asarray(found[0]["embedding"], np.float32)
    return row / np.linalg.norm(row)


def main() -> None:
    folder, model, seconds = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    pictures = [cv2.imread(str(path)) for path in sorted(folder.rglob("*.jpg"))[:64]]
    size = len(encoding(pictures[0], model))
    enrolled = np.random.default_rng(1).normal(size=(PEOPLE, size)).astype(np.float32)
    enrolled /= np.linalg.norm(enrolled, axis=1, keepdims=True)
    began, faces = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        row = encoding(pictures[faces % len(pictures)], model)
        int(np.argmax(enrolled @ row))
        faces += 1
    print(faces / (time.monotonic() - began))


if __name__ == "__main__":
    main()
