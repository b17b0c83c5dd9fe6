"""Cameras the simulator does not play: H.265, a picture that changes its size, sound alone.

    /usr/bin/python3 tests/ingest/rtsp_cameras.py lobby=units.264 yard=sound

Runs on the system's Python, as the simulator does. A file holds access units, as
tests/ingest/access_units.py writes them.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "deploy" / "simulator"))

from rtsp_server import (  # type: ignore[import-not-found]  # noqa: E402
    PARENT_POLL_MS,
    Camera,
    Clip,
    GLib,
    Gst,
    GstRtspServer,
)

SOUND = "sound"
SOUND_SENDER = (
    "( audiotestsrc is-live=true ! audioconvert ! audio/x-raw,format=S16BE,rate=8000,channels=1 "
    "! rtpL16pay name=pay0 pt=97 )"
)
#: The parameter sets stand before each key frame already.
SENDER = "( appsrc name=units format=time block=false ! rtp{codec}pay name=pay0 pt=96 )"


class Recorded(Camera):  # type: ignore[misc]
    """Plays a file of access units to each client, from its start, in a loop."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            kind = json.loads(file.readline())
            units = tuple(_units(file.read(), Gst.SECOND // kind["fps"]))
        caps = f"video/x-{kind['codec']},stream-format=byte-stream,alignment=au"
        length = len(units) * Gst.SECOND // kind["fps"]
        super().__init__(Clip(Gst.Caps.from_string(caps), units, length), once=False)
        self.set_launch(SENDER.format(codec=kind["codec"]))


def _units(data: bytes, step: int) -> Iterator[Gst.Buffer]:
    """step: nanoseconds from one to the next."""
    place = number = 0
    while place < len(data):
        begin = place + 4
        place = begin + int.from_bytes(data[place:begin], "big")
        buffer = Gst.Buffer.new_wrapped(data[begin:place])
        buffer.pts = buffer.dts = number * step
        buffer.duration = step
        number += 1
        yield buffer


def sounding() -> GstRtspServer.RTSPMediaFactory:
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(SOUND_SENDER)
    return factory


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("cameras", nargs="+")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--exit-with-parent", action="store_true")
    given = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(given.port))
    for camera in given.cameras:
        name, _, what = camera.partition("=")
        factory = sounding() if what == SOUND else Recorded(Path(what))
        server.get_mount_points().add_factory(f"/{name}", factory)
    server.attach(None)
    loop = GLib.MainLoop()
    GLib.unix_signal_add(GLib.PRIORITY_HIGH, signal.SIGTERM, loop.quit)
    if given.exit_with_parent:
        parent = os.getppid()
        GLib.timeout_add(PARENT_POLL_MS, lambda: os.getppid() == parent or loop.quit())
    print(f"ready rtsp://127.0.0.1:{server.get_bound_port()}", flush=True)
    loop.run()


if __name__ == "__main__":
    main()
