"""`facetrail cameras test`: does an address show a picture, of what kind, with faces?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from facetrail.addresses import checked_address, shown
from facetrail.cameras import filled_in
from facetrail.cli.camera_view import View, view
from facetrail.cli.json_line import print_json
from facetrail.settings import Settings
from ingest.looking.sight import Sight
from ingest.reading.stream import Reading
from training.photos import photo_detector


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """What `cameras test --json` prints.

    address: without login, path and query. fps: frames that came in a second; stated_fps: what
    the stream says of itself. clock: what dates the frames. faces: heights in pixels, of the
    frame with the most.
    """

    address: str
    codec: str
    size: tuple[int, int]
    fps: float | None
    stated_fps: float | None
    transport: str | None
    decoder: str
    clock: str
    first_picture_s: float
    faces: list[float]


def run(
    settings: Settings,
    url: str,
    *,
    transport: Literal["tcp", "udp"],
    seconds: float,
    as_json: bool,
) -> None:
    """Raises BadSettings, StreamLost, BadModelFile; none shows a password."""
    address = checked_address(filled_in(url, os.environ), beside=Path())
    detector = photo_detector(settings)
    seen = view(address, Reading(transport=transport), hwaccel="auto", seconds=seconds)
    found = [detector.detect(Sight(frame).picture) for frame in seen.frames]
    most = max(found, key=len)
    tested = _tested(address, seen, [round(face.height, 1) for face in most])
    if as_json:
        print_json(tested)
    else:
        _print(tested)


def _tested(address: str, seen: View, faces: list[float]) -> Tested:
    frame = seen.frames[-1]
    return Tested(
        address=shown(address),
        codec=seen.opened.codec,
        size=(frame.width, frame.height),
        fps=None if seen.fps is None else round(seen.fps, 1),
        stated_fps=seen.opened.fps,
        transport=seen.opened.transport,
        decoder=seen.opened.decoder,
        clock=seen.clock,
        first_picture_s=round(seen.first_picture_s, 2),
        faces=sorted(faces, reverse=True),
    )


def _print(tested: Tested) -> None:
    width, height = tested.size
    over = f" over {tested.transport}" if tested.transport else ""
    print(f"{tested.address}: {tested.codec} {width}x{height}{over}, decoded by {tested.decoder}")
    fps = "one picture only" if tested.fps is None else f"{tested.fps:.1f} frames a second"
    stated = "" if tested.stated_fps is None else f" (it says {tested.stated_fps:g})"
    print(f"{fps}{stated}, dated by {tested.clock}, the first after {tested.first_picture_s:.2f} s")
    if tested.faces:
        heights = ", ".join(f"{height:.0f}" for height in tested.faces)
        print(f"{len(tested.faces)} faces at once, {heights} pixels high")
    else:
        print("no face: let somebody stand before it and look again")
