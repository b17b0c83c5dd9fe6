"""Pictures as JPEG."""

from __future__ import annotations

import cv2

from ingest.faces.face import Picture

CHIP_QUALITY = 95


def jpeg(picture: Picture, quality: int = CHIP_QUALITY) -> bytes:
    """An RGB picture as JPEG. quality: 0 to 100."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
