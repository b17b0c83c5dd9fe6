"""Pictures encoded as a camera does, for tests/ingest/rtsp_cameras.py."""

from __future__ import annotations

import json
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av

from ingest.faces.face import Picture
from tests.ingest.clips import FPS, video_frame

ENCODERS = {
    # One slice a picture: the sender tells slices of a byte stream apart by guessing.
    "h264": (
        "libx264",
        {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "bframes=0:sliced-threads=0"},
    ),
    "h265": (
        "libx265",
        {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "x265-params": "log-level=none:bframes=0:repeat-headers=1:pools=1",
        },
    ),
}


def write_units(path: Path, codec: str, *parts: Iterable[Picture], fps: int = FPS) -> Path:
    """A file of access units, each part encoded anew; so each may have a size of its own."""
    with path.open("wb") as file:
        file.write(json.dumps({"codec": codec, "fps": fps}).encode() + b"\n")
        for pictures in parts:
            for unit in _encoded(codec, pictures, fps):
                file.write(len(unit).to_bytes(4, "big") + unit)
    return path


def _encoded(codec: str, pictures: Iterable[Picture], fps: int) -> Iterable[bytes]:
    name, options = ENCODERS[codec]
    encoder = av.CodecContext.create(name, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.options, encoder.framerate, encoder.gop_size = options, Fraction(fps), fps
    encoder.pix_fmt = "yuv420p"
    for number, picture in enumerate(pictures):
        if number == 0:
            encoder.height, encoder.width = picture.shape[:2]
        frame = video_frame(picture, number, fps).reformat(format="yuv420p")
        for packet in encoder.encode(frame):
            yield bytes(packet)
    for packet in encoder.encode(None):
        yield bytes(packet)
