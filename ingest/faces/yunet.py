"""YuNet (Wu et al. 2023, doi:10.1007/s11633-023-1423-y), run by OpenVINO."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facetrail.model_files import ModelFile
from ingest.faces.distinct import distinct
from ingest.faces.face import Face, Floats, Picture
from ingest.faces.network import MULTIPLE, Network, Precision
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
CELLS = (8, 16, 32)  # pixels of the input per cell of its maps


class YuNet:
    """A `Detector`. One per thread.

    width: the picture's longer side is scaled down to this many pixels.
    score: faces below it are left out. precision, threads: of OpenVINO.
    """

    def __init__(
        self,
        model: Path,
        *,
        width: int = 640,
        score: float = 0.5,
        precision: Precision = "f32",
        threads: int = 1,
    ) -> None:
        self.width = width
        self.score = score
        self._network = Network(model, colours="BGR", precision=precision, threads=threads)

    def detect(self, picture: Picture) -> list[Face]:
        """Faces in an RGB `(h, w, 3)` picture, in its pixels, best score first."""
        small, scale = scaled_down(picture, self.width)
        maps = self._network.run(small)
        across = -(-small.shape[1] // MULTIPLE) * MULTIPLE
        parts = [
            _decode(*maps[i :: len(CELLS)], cell=cell, columns=across // cell, least=self.score)
            for i, cell in enumerate(CELLS)
        ]
        boxes, landmarks, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
        return distinct(boxes, landmarks, scores, least=self.score, scale=scale)


def _decode(
    face: Floats,
    there: Floats,
    box: Floats,
    points: Floats,
    *,
    cell: int,
    columns: int,
    least: float,
) -> tuple[Floats, Floats, Floats]:
    """Boxes `(n, 4)`, landmarks `(n, 5, 2)` and scores `(n,)` of the cells with a face.

    face, there: `(cells, 1)`, 0 to 1: whether it is a face, whether there is anything.
    box: `(cells, 4)`. points: `(cells, 10)`. columns: cells in a row.
    """
    score = np.sqrt(face[:, 0] * there[:, 0])
    at = np.nonzero(score > least)[0]
    corner = np.stack([at % columns, at // columns], axis=-1).astype(np.float32)  # x, y
    middle = (corner + box[at, :2]) * cell
    size = np.exp(box[at, 2:]) * cell
    landmarks = (points[at].reshape(-1, 5, 2) + corner[:, None]) * cell
    return np.concatenate([middle - size / 2, size], axis=-1), landmarks, score[at]
