"""`facetrail cameras preview`: what a camera sees, drawn for people."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from PIL import Image, ImageDraw

from facetrail.cameras import Camera, Polygon, read_cameras
from facetrail.cli.camera_view import view
from facetrail.cli.draw import Mark, with_marks
from facetrail.cli.json_line import print_json
from facetrail.cli.labels import Colour, font
from facetrail.cli.picture_file import check_target, save
from facetrail.errors import BadSettings
from facetrail.settings import Settings
from ingest.faces.align import align
from ingest.faces.face import Face, Picture
from ingest.faces.quality import quality_of
from ingest.looking.detectors import first_detector
from ingest.looking.finder import Finder
from ingest.looking.sight import Sight
from ingest.reading.stream import Reading

ZONE: Colour = (0, 150, 230)
MASK: Colour = (90, 90, 90)


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A face. box: x, y, width, height in pixels. quality: 0 to 1; None if it can't be aligned."""

    box: tuple[float, ...]
    score: float
    quality: float | None
    too_small: bool


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What `cameras preview --json` prints. size: width and height of the camera's picture."""

    camera: str
    file: str
    size: tuple[int, int]
    faces: list[Shown]


def run(
    settings: Settings, name: str, *, save_to: Path | None, seconds: float, as_json: bool
) -> None:
    """Saves the frame with the most faces. Raises BadSettings, StreamLost, BadModelFile."""
    camera = _named(settings.cameras, name)
    target = save_to or Path(f"{name}.png")
    check_target(target)
    finder = _finder(settings, camera)
    seen = view(
        camera.read_url.get_secret_value(),
        Reading(transport=camera.transport, keyframes_only=camera.keyframes_only),
        hwaccel=camera.hwaccel,
        seconds=seconds,
    )
    sights = [Sight(frame) for frame in seen.frames]
    picture, faces = max(
        ((sight.picture, finder.faces(sight)) for sight in sights), key=lambda one: len(one[1])
    )
    shown = [_shown(face, picture, camera.min_face) for face in faces]
    marks = [_mark(face, one) for face, one in zip(faces, shown, strict=True)]
    save(with_marks(_with_regions(picture, camera), marks), target)
    size = (picture.shape[1], picture.shape[0])
    preview = Preview(camera=name, file=str(target), size=size, faces=shown)
    if as_json:
        print_json(preview)
    else:
        print(f"{target}: {name} at {size[0]}x{size[1]}, {len(shown)} faces")


def _named(file: Path, name: str) -> Camera:
    cameras = {camera.name: camera for camera in read_cameras(file)}
    if name not in cameras:
        raise BadSettings(
            f"{file} names no camera {name!r} that is enabled: it has {', '.join(sorted(cameras))}"
        )
    return cameras[name]


def _finder(settings: Settings, camera: Camera) -> Finder:
    """As the camera's own process has it."""
    detector = first_detector(settings, camera)
    return Finder(detector, width=camera.detect_width, tiles=camera.tiles, masks=camera.masks)


def _shown(face: Face, picture: Picture, min_face: int) -> Shown:
    chip = align(picture, face.landmarks)
    return Shown(
        box=tuple(round(float(side), 1) for side in face.box),
        score=round(float(face.score), 3),
        quality=None if chip is None else round(quality_of(face, chip).score, 3),
        too_small=face.height < min_face,
    )


def _mark(face: Face, one: Shown) -> Mark:
    quality = "can't be aligned" if one.quality is None else f"quality {one.quality:.2f}"
    lines = [f"{one.score:.2f}", f"{face.height:.0f} pixels high, {quality}"]
    if one.too_small:
        return Mark(face, ["too small", *lines], "unjudged")
    return Mark(face, lines, "named")


def _with_regions(picture: Picture, camera: Camera) -> Picture:
    """The picture with zones outlined and named, and masks crossed out."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    draw = ImageDraw.Draw(image)
    line = max(2, max(image.size) // 400)
    for mask in camera.masks:
        _outline(draw, mask, image.size, MASK, line, "mask")
    for name, zone in camera.zones.items():
        _outline(draw, zone, image.size, ZONE, line, name)
    return np.asarray(image, np.uint8)


def _outline(
    draw: ImageDraw.ImageDraw,
    polygon: Polygon,
    size: tuple[int, int],
    colour: Colour,
    line: int,
    name: str,
) -> None:
    points = [(x * size[0], y * size[1]) for x, y in polygon]
    draw.line([*points, points[0]], colour, line, joint="curve")
    letters = font(max(12, max(size) // 60))
    top = min(points, key=lambda point: point[1])
    at = (min(top[0], size[0] - letters.getlength(name) - 2 * line), top[1] + 2 * line)
    draw.text(at, name, colour, letters, stroke_width=2, stroke_fill=(0, 0, 0))
