"""What a camera's process says of itself in Redis, for `facetrail cameras list`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import msgspec
import redis

from facetrail.store import Keys

#: What was said counts for so long; then its process has ended, or hangs.
KEPT_S = 10.0


class CameraStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One camera, as its process sees it.

    lost: None while frames come, else why they don't. fps: frames a second looked at, just now.
    clock: what dates the frames, `rtcp` or `arrival`. size: width and height in pixels, None
    before it was opened. waiting: chips and ends of tracks that could not be sent yet. dropped:
    chips since the process began, by reason.
    """

    lost: str | None
    fps: float
    clock: str
    codec: str | None
    size: tuple[int, int] | None
    waiting: int
    dropped: Mapping[str, int]


def status_of(client: redis.Redis, keys: Keys, cameras: list[str]) -> list[CameraStatus | None]:
    """What the processes of these cameras say; None where none does."""
    if not cameras:
        return []
    said = client.mget([keys.camera_status(camera) for camera in cameras])
    return [_status(line) if line else None for line in said]


def _status(line: bytes) -> CameraStatus | None:
    """None also for what another version says, and can't be understood."""
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(line, type=CameraStatus)
    return None
