"""Sample cameras: a person passes through a room, and then nobody does."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from examples.portrait import Cutout, Portrait, eileen_collins, grace_hopper
from examples.room import HEIGHT, WIDTH, garage, lobby
from ingest.faces.face import Picture

FPS = 15
#: A clip's length; with its empty part, each round of it is one appearance with a clear end.
LENGTH_S = 12.0
PASSING_S = 7.0
FRAMES = round(LENGTH_S * FPS)

FACE_HEIGHT = 115
FACE_Y = 172
#: From the middle of the picture to where nothing of a person is seen, in pixels.
REACH = 580
NOISE = 2.0


@dataclass(frozen=True, slots=True)
class Scene:
    """One camera's picture. starts_s: when the person comes; to_right: which way."""

    camera: str
    room: Callable[[], Picture]
    person: Callable[[], Portrait]
    starts_s: float
    to_right: bool

    def frames(self) -> Iterator[Picture]:
        """FRAMES pictures, RGB `(HEIGHT, WIDTH, 3)`."""
        empty = np.asarray(self.room() / 255, np.float32)
        portrait = self.person()
        figure = portrait.cut_out()
        random = np.random.default_rng(0)
        grain = random.normal(0, NOISE / 255, (HEIGHT * 2, WIDTH * 2, 1)).astype(np.float32)
        for number in range(FRAMES):
            where = self.place(number / FPS)
            seen = empty if where is None else paste(empty, figure, portrait, where)
            x, y = random.integers((WIDTH, HEIGHT))
            noisy = seen + grain[y : y + HEIGHT, x : x + WIDTH]
            yield np.clip(noisy * 255 + 0.5, 0, 255).astype(np.uint8)

    def place(self, seconds: float) -> Place | None:
        """Where the person is at a time of the clip; None while the room is empty."""
        part = (seconds - self.starts_s) / PASSING_S
        if not 0 <= part <= 1:
            return None
        w = 2 * part - 1
        way = (w + w**3) / 2  # slow in the middle, fast at the edges
        step = math.sin(2 * math.pi * 1.6 * seconds)
        x = WIDTH / 2 + REACH * (way if self.to_right else -way)
        return Place(x, FACE_Y + 2.0 * step, 1 - 0.06 * w)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the middle of a face is, in pixels, and its size, 1 for FACE_HEIGHT."""

    x: float
    y: float
    size: float


SCENES = (
    Scene("lobby", lobby, eileen_collins, starts_s=0.5, to_right=True),
    Scene("garage", garage, grace_hopper, starts_s=3.0, to_right=False),
)


def paste(empty: Cutout, figure: Cutout, portrait: Portrait, where: Place) -> Cutout:
    """The room with the figure before it, float32 0 to 1."""
    scale = where.size * FACE_HEIGHT / portrait.face_height
    x, y = portrait.face
    placed = np.array(
        [[scale, 0, where.x - scale * x], [0, scale, where.y - scale * y]], np.float32
    )
    layer = cv2.warpAffine(figure, placed, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
    return np.asarray(empty * (1 - layer[..., 3:]) + layer[..., :3], np.float32)


def sample_clips(folder: Path) -> dict[str, Path]:
    """Camera name to its MP4 file in the folder; made when it isn't there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    return {scene.camera: _clip(scene, folder) for scene in SCENES}


def _clip(scene: Scene, folder: Path) -> Path:
    path = folder / f"{scene.camera}-{_drawn_by()}.mp4"
    if not path.exists():
        new = path.with_suffix(".new")
        encode(scene.frames(), new)
        new.replace(path)
    return path


def _drawn_by() -> str:
    """Eight digits that change with the code that draws the clips."""
    code = b"".join(
        Path(__file__).with_name(f"{name}.py").read_bytes()
        for name in ("portrait", "room", "scene")
    )
    return hashlib.sha256(code).hexdigest()[:8]


def encode(frames: Iterator[Picture], path: Path) -> None:
    """Writes an H.264 MP4 as cameras send it: no B-frames, a key frame every second."""
    options = {"preset": "veryfast", "crf": "20", "bf": "0", "g": str(FPS), "sc_threshold": "0"}
    with av.open(path, "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.thread_type = "FRAME"  # sliced threads cut each picture in two
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
