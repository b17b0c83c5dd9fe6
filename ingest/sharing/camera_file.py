"""The camera file, read again when it has changed."""

from __future__ import annotations

from pathlib import Path

import structlog

from facetrail.cameras import Camera, read_cameras
from facetrail.errors import BadSettings

#: A file that was written to within so many seconds is perhaps not whole yet.
SETTLED_S = 0.5

log = structlog.get_logger(__name__)

#: Device, inode, size and time of change; None where there is no file.
Signature = tuple[int, int, int, int] | None


class CameraFile:
    """cameras: of the last version that could be used. Raises BadSettings at first."""

    def __init__(self, path: Path) -> None:
        self.cameras: list[Camera]
        self._path = path
        self._read_as = _signature(path)
        self._changed: Signature = self._read_as
        self._changed_at = 0.0
        self._asked = False
        self.cameras = read_cameras(path)

    def changed(self, now: float) -> bool:
        """Whether there is something to `read`. now: a monotonic clock's."""
        if self._asked:
            return True
        found = _signature(self._path)
        if found != self._changed:
            self._changed, self._changed_at = found, now
        return self._changed != self._read_as and now - self._changed_at >= SETTLED_S

    def look_again(self) -> None:
        """Has it read whether it changed or not; may be called by a signal's handler."""
        self._asked = True

    def read(self) -> bool:
        """Reads the file anew; False, with the reason in the log, if the old cameras stay."""
        self._asked = False
        self._read_as = self._changed = _signature(self._path)
        try:
            self.cameras = read_cameras(self._path)
        except BadSettings as error:
            log.error("camera file is refused, the cameras stay as they are", cause=str(error))
            return False
        log.info("camera file was read again", cameras=len(self.cameras))
        return True


def _signature(path: Path) -> Signature:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
