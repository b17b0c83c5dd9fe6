"""An index is built in a thread of its own, while the old one serves and changes."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from facetrail.wire import Encodings
from index.face_index import FaceIndex


class Rebuilding:
    """Rebuilds an index. position: of the log, that it stands at."""

    def __init__(self, index: FaceIndex, position: str) -> None:
        self.position = position
        self._index = index
        self._built: FaceIndex | None = None
        self._since: dict[str, Encodings] = {}
        self._thread = threading.Thread(target=self._build, name="index", daemon=True)
        self._thread.start()

    def _build(self) -> None:
        self._built = self._index.rebuilt()

    def change(self, people: Mapping[str, Encodings]) -> None:
        """What has changed since, for the new one."""
        self._since |= people

    def result(self) -> FaceIndex | None:
        """The new index with all changes since, once it is there."""
        if self._built is None:
            return None
        return self._built.changed(self._since) if self._since else self._built
