"""A decoded frame as pictures."""

from __future__ import annotations

from functools import cached_property

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from ingest.faces.face import Picture


class Scaler:
    """Scales frames and turns them to RGB. One per thread.

    Kept from frame to frame: setting up each of its steps costs more than taking it.
    """

    def __init__(self) -> None:
        self._colours_of_whole = VideoReformatter()
        self._size = VideoReformatter()
        self._colours_of_small = VideoReformatter()

    def whole(self, video: av.VideoFrame) -> Picture:
        return _picture(self._colours_of_whole.reformat(video, format="rgb24", threads=1))

    def small(self, video: av.VideoFrame, width: int, height: int) -> Picture:
        """In two steps, since planes are scaled in half the time that colours take."""
        planes = self._size.reformat(
            video, width, height, "yuv420p", interpolation="AREA", threads=1
        )
        return _picture(self._colours_of_small.reformat(planes, format="rgb24", threads=1))


class Sight:
    """A decoded frame as pictures, each made when it is first needed."""

    def __init__(self, video: av.VideoFrame, scaler: Scaler | None = None) -> None:
        self.video = video
        self._scaler = scaler or Scaler()

    @cached_property
    def picture(self) -> Picture:
        """RGB `(h, w, 3)`."""
        return self._scaler.whole(self.video)

    def scaled(self, longest: int) -> tuple[Picture, float]:
        """With its longer side at most `longest` pixels, and the scale; cheaper than the whole."""
        width, height = self.video.width, self.video.height
        scale = min(1.0, longest / max(width, height))
        if scale == 1.0:
            return self.picture, 1.0
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return self._scaler.small(self.video, *size), scale


def _picture(frame: av.VideoFrame) -> Picture:
    return np.asarray(frame.to_ndarray(), np.uint8)
