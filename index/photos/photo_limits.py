"""How good a face must be for its photo to be taken."""

from __future__ import annotations

from dataclasses import dataclass

from facetrail.errors import BadPicture
from facetrail.wire import Quality
from index.photos.portrait import check_height


@dataclass(frozen=True, slots=True)
class PhotoLimits:
    """The defaults refuse nothing but small faces.

    min_face: height in pixels of the photo. min_sharpness: variance of the Laplacian of the
    chip. max_yaw: 0 frontal to 1 in profile.
    """

    min_face: int
    min_sharpness: float = 0.0
    max_yaw: float = 1.0

    def check(self, name: str, quality: Quality) -> None:
        """name: of the photo, to show. Raises BadPicture."""
        check_height(name, quality.height, self.min_face)
        if quality.yaw > self.max_yaw:
            raise BadPicture(
                "turned_away",
                f"{name}: the face is turned away by {quality.yaw:.3f} of 1; use a photo with at "
                f"most {self.max_yaw:g}, best a frontal one",
                value=quality.yaw,
                limit=self.max_yaw,
            )
        if quality.sharpness < self.min_sharpness:
            raise BadPicture(
                "blurred",
                f"{name}: the face has a sharpness of {quality.sharpness:.1f}; use a photo with at "
                f"least {self.min_sharpness:g}, such as one in focus and held still",
                value=quality.sharpness,
                limit=self.min_sharpness,
            )
