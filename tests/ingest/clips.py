"""Clips made for a test, and the frames of a camera without one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ingest.faces.face import Picture

FPS = 15
WIDTH, HEIGHT = 320, 240


def moving(count: int, *, shade: int = 120) -> Iterator[Picture]:
    """A red square that moves over grey."""
    for number in range(count):
        picture = np.full((HEIGHT, WIDTH, 3), shade, np.uint8)
        picture[80:120, 10 + 2 * number : 50 + 2 * number] = (200, 30, 30)
        yield picture


def passing(count: int, portrait: Picture) -> Iterator[Picture]:
    """The middle of a portrait, moving over a grey scene of 640x360."""
    figure = portrait[20:260, 110:350]
    for number in range(count):
        picture = np.full((360, 640, 3), 110, np.uint8)
        picture[60:300, 40 + 3 * number : 280 + 3 * number] = figure
        yield picture


def write_clip(
    path: Path,
    pictures: Iterable[Picture],
    *,
    fps: int = FPS,
    pixels: str = "yuv420p",
    begins_s: int = 0,
    title: str = "",
) -> Path:
    """An H.264 file as cameras send it: no B-frames, a key frame every second."""
    options = {"preset": "ultrafast", "bf": "0", "g": str(fps), "tune": "zerolatency"}
    with av.open(path, "w") as file:
        if title:
            file.metadata["title"] = title
        stream = file.add_stream("libx264", rate=fps, options=options)
        stream.pix_fmt = pixels
        for number, picture in enumerate(pictures):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
            frame = video_frame(picture, number + begins_s * fps, fps)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def write_sound(path: Path) -> Path:
    """A second of silence."""
    with av.open(path, "w") as file:
        stream = file.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def video_frame(picture: Picture, number: int = 0, fps: int = FPS) -> av.VideoFrame:
    """A decoded frame with its time stamp."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    frame.pts, frame.time_base = number, Fraction(1, fps)
    return frame
