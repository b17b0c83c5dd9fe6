"""Clips served as RTSP cameras, for trying Facetrail without any.

    /usr/bin/python3 deploy/simulator/rtsp_server.py lobby=lobby.mp4 garage=garage.mp4

Runs on the system's Python with Debian's python3-gi, gir1.2-gst-rtsp-server-1.0 and
gstreamer1.0-plugins-base and -good. Prints `ready rtsp://HOST:PORT` once it listens.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

#: Access units as MP4 stores them; rtph264pay takes these without a parser.
READER = (
    "filesrc name=file ! qtdemux ! video/x-h264,stream-format=avc,alignment=au ! "
    "appsink name=units sync=false wait-on-eos=false"
)
# config-interval=-1 would cut a key frame of several slices in pieces: it repeats the
# parameter sets before each of them.
SENDER = (
    "( appsrc name=units format=time block=false ! rtph264pay name=pay0 pt=96 config-interval=1 )"
)
VIEWER = "viewer"
PARENT_POLL_MS = 200


@dataclass(frozen=True)
class Clip:
    """The access units of an MP4 in decoding order, the first at 0; length in nanoseconds."""

    caps: Gst.Caps
    units: tuple[Gst.Buffer, ...]
    length: int

    @classmethod
    def read(cls, path: Path) -> Clip:
        """Raises SystemExit, naming the file, if it is not an MP4 with H.264 in it."""
        reader = Gst.parse_launch(READER)
        reader.get_by_name("file").set_property("location", str(path))
        reader.set_state(Gst.State.PLAYING)
        ends = Gst.MessageType.EOS | Gst.MessageType.ERROR
        end = reader.get_bus().timed_pop_filtered(Gst.CLOCK_TIME_NONE, ends)
        pull = partial(reader.get_by_name("units").emit, "try-pull-sample", 0)
        samples = list(iter(pull, None))
        reader.set_state(Gst.State.NULL)
        if end.type == Gst.MessageType.ERROR or not samples:
            raise SystemExit(f"{path} can't be served: expected an MP4 file with H.264 video")
        units = [sample.get_buffer() for sample in samples]
        start = units[0].dts
        length = max(unit.pts + unit.duration for unit in units) - min(u.pts for u in units)
        return cls(samples[0].get_caps(), tuple(moved(unit, -start) for unit in units), length)

    def played(self, times: Iterator[int]) -> Iterator[Gst.Buffer]:
        """The units once for each of the times, each round after the one before."""
        for time in times:
            for unit in self.units:
                yield moved(unit, time * self.length)


def moved(unit: Gst.Buffer, by: int) -> Gst.Buffer:
    """A copy of the access unit, sharing its bytes, later by some nanoseconds."""
    shared = Gst.BufferCopyFlags.FLAGS | Gst.BufferCopyFlags.MEMORY
    copy = unit.copy_region(shared, 0, unit.get_size())
    copy.pts = unit.pts + by
    copy.dts = unit.dts + by
    return copy


class Camera(GstRtspServer.RTSPMediaFactory):
    """One mount: a live picture all clients share, or the clip anew for each of them.

    clock: whether RTCP says what time it is here.
    """

    def __init__(self, clip: Clip, *, once: bool, clock: bool = True) -> None:
        super().__init__()
        self._clip = clip
        self._once = once
        self.set_launch(SENDER)
        self.set_shared(not once)
        self.set_enable_rtcp(clock)
        self.connect("media-configure", self._feed)

    def _feed(self, _: Camera, media: GstRtspServer.RTSPMedia) -> None:
        source = media.get_element().get_by_name("units")
        source.set_property("caps", self._clip.caps)
        units = self._clip.played(iter((0,)) if self._once else count())
        source.connect("need-data", push, units)


def push(source: Gst.Element, _: int, units: Iterator[Gst.Buffer]) -> None:
    """Gives the source its next access unit, or the end."""
    unit = next(units, None)
    if unit is None:
        source.emit("end-of-stream")
    else:
        source.emit("push-buffer", unit)


def authentication(method: str, user: str, password: str) -> GstRtspServer.RTSPAuth:
    """One name and password. method: BASIC or DIGEST; PyGObject can't ask for both at once."""
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, VIEWER)
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(getattr(GstRtsp.RTSPAuthMethod, method))
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    auth.add_digest(user, password, token)
    return auth


def only_viewers() -> GstRtspServer.RTSPPermissions:
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_role(VIEWER)
    for right in ("access", "construct"):
        permissions.add_permission_for_role(VIEWER, f"media.factory.{right}", True)
    return permissions


def serve(given: argparse.Namespace) -> GstRtspServer.RTSPServer:
    """A server with every clip mounted; it answers once a main loop runs."""
    server = GstRtspServer.RTSPServer()
    server.set_address(given.host)
    server.set_service(str(given.port))
    if given.user:
        password = os.environ[given.password_env]
        server.set_auth(authentication(given.auth.upper(), given.user, password))
    mounts = server.get_mount_points()
    for name, path in given.clips:
        camera = Camera(Clip.read(path), once=given.once, clock=not given.no_clock)
        if given.user:
            camera.set_permissions(only_viewers())
        mounts.add_factory(f"/{name}", camera)
    if not server.attach(None):
        raise SystemExit(f"{given.host}:{given.port} can't be listened on")
    return server


def named_clip(text: str) -> tuple[str, Path]:
    name, separator, path = text.partition("=")
    if not (name and separator and Path(path).is_file()):
        raise argparse.ArgumentTypeError(f"expected NAME=FILE.mp4, got {text!r}")
    return name, Path(path)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve clips as RTSP cameras.")
    parser.add_argument("clips", nargs="+", type=named_clip, metavar="NAME=FILE.mp4")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument(
        "--once", action="store_true", help="every client gets the clip once, from its start"
    )
    parser.add_argument("--no-clock", action="store_true", help="without RTCP")
    parser.add_argument("--user", help="the name that may watch; all may without it")
    parser.add_argument("--password-env", metavar="VAR", help="the variable with the password")
    parser.add_argument("--auth", choices=("digest", "basic"), default="digest")
    parser.add_argument("--exit-with-parent", action="store_true")
    given = parser.parse_args()
    if bool(given.user) != (os.environ.get(given.password_env or "") is not None):
        parser.error("--user and --password-env belong together, and the variable must be set")
    return given


def main() -> None:
    given = arguments()
    Gst.init(None)
    server = serve(given)
    loop = GLib.MainLoop()
    for number in (signal.SIGINT, signal.SIGTERM):
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, loop.quit)
    if given.exit_with_parent:
        parent = os.getppid()
        GLib.timeout_add(PARENT_POLL_MS, lambda: os.getppid() == parent or loop.quit())
    print(f"ready rtsp://{given.host}:{server.get_bound_port()}", flush=True)
    loop.run()


if __name__ == "__main__":
    sys.exit(main())
