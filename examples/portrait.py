"""People cut out of the public-domain portraits that installed packages carry."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import skimage.data
from matplotlib.cbook import get_sample_data
from numpy.typing import NDArray
from PIL import Image

from ingest.faces.face import Picture

#: Red, green, blue and opacity, 0 to 1, the colours multiplied by the opacity.
Cutout = NDArray[np.float32]

#: How softly an outline ends, as the deviation of a blur in pixels of the portrait.
FEATHER = 1.8

# Outlines by hand, clockwise from the top of the head, in pixels of the portraits.
COLLINS = (
    (225, 15), (255, 18), (285, 37), (299, 65), (300, 100), (291, 122), (272, 137), (262, 155),
    (256, 183), (278, 195), (297, 215), (305, 240), (330, 258), (350, 288), (361, 325),
    (366, 352), (405, 346), (450, 362), (482, 400), (497, 450), (505, 512), (28, 512),
    (24, 440), (30, 360), (42, 290), (64, 246), (113, 220), (114, 190), (130, 165), (155, 152),
    (185, 151), (184, 133), (170, 121), (157, 108), (155, 80), (163, 50), (190, 26),
)  # fmt: skip
HOPPER = (
    (265, 25), (303, 37), (338, 54), (351, 70), (351, 87), (369, 93), (370, 125), (363, 162),
    (374, 188), (373, 225), (361, 250), (356, 290), (344, 306), (331, 320), (347, 337),
    (400, 364), (468, 387), (490, 405), (503, 470), (511, 520), (511, 600), (16, 600),
    (25, 520), (48, 440), (63, 387), (105, 364), (165, 347), (200, 325), (197, 306),
    (176, 286), (171, 262), (155, 217), (154, 180), (166, 160), (162, 140), (162, 115),
    (160, 92), (176, 86), (180, 64), (202, 42), (237, 29),
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A photograph and the person in it.

    picture: RGB `(h, w, 3)`. outline: corners x y around the person.
    face: x y of the middle of the face. face_height: what detectors find, in pixels.
    """

    picture: Picture
    outline: tuple[tuple[int, int], ...]
    face: tuple[float, float]
    face_height: float

    def cut_out(self) -> Cutout:
        """The person alone, float32 `(h, w, 4)`."""
        mask = np.zeros(self.picture.shape[:2], np.float32)
        cv2.fillPoly(mask, [np.array(self.outline, np.int32)], 1.0, cv2.LINE_AA)
        soft = cv2.GaussianBlur(mask, (0, 0), FEATHER, borderType=cv2.BORDER_REPLICATE)
        colours = self.picture / 255 * soft[..., None]
        return np.dstack([colours, soft]).astype(np.float32)


def eileen_collins() -> Portrait:
    """NASA's portrait of the astronaut, from scikit-image."""
    picture = skimage.data.astronaut()  # type: ignore[no-untyped-call]
    return Portrait(picture, COLLINS, (226, 118), 120)


def grace_hopper() -> Portrait:
    """The US Navy's portrait of the admiral, from matplotlib."""
    with Image.open(str(get_sample_data("grace_hopper.jpg", asfileobj=False))) as image:
        return Portrait(np.asarray(image.convert("RGB")), HOPPER, (266, 234), 205)
