"""YuNet (Wu et al. 2023, doi:10.1007/s11633-023-1423-y), run by OpenCV."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from facetrail.model_files import ModelFile
from ingest.faces.face import Face, Picture
from ingest.faces.scaling import scaled_down

FILE = ModelFile(
    name="face_detection_yunet_2023mar.onnx",
    size=232_589,
    sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    licence="MIT",
    source="get it from models/face_detection_yunet of OpenCV's model zoo, opencv/opencv_zoo",
    url="https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/"
    "face_detection_yunet/face_detection_yunet_2023mar.onnx",
    model="yunet",
)
OVERLAP = 0.3
MOST = 5000  # boxes before those that share a face are thinned out


class YuNet:
    """A `Detector`. One per thread.

    width: the picture's longer side is scaled down to this many pixels.
    score: faces below it are left out.
    """

    def __init__(self, model: Path, *, width: int = 640, score: float = 0.5) -> None:
        self.width = width
        self._network = cv2.FaceDetectorYN.create(str(model), "", (32, 32), score, OVERLAP, MOST)

    def detect(self, picture: Picture) -> list[Face]:
        """Faces in an RGB `(h, w, 3)` picture, in its pixels, best score first."""
        small, scale = scaled_down(picture, self.width)
        height, width = small.shape[:2]
        self._network.setInputSize((width, height))
        _, rows = self._network.detect(np.ascontiguousarray(small[..., ::-1]))  # wants BGR
        faces = [_face(row / scale, float(row[14])) for row in ([] if rows is None else rows)]
        return sorted(faces, key=lambda face: -face.score)


def _face(row: np.ndarray[tuple[int], np.dtype[np.float32]], score: float) -> Face:
    """x y w h, then five points; already in the order of `Face`."""
    x, y, width, height = (float(value) for value in row[:4])
    return Face((x, y, width, height), row[4:14].reshape(5, 2).astype(np.float32), score)
