"""Notices that frames are read later and later after they were sent."""

from __future__ import annotations

from ingest.sample import MOST_STEP_S

#: Seconds behind from which on frames are left out.
LATE_S = 1.5
#: Seconds a second by which the usual delay may grow: two clocks differ, and a camera that
#: itself paused has not put us behind.
DRIFT = 0.02


class Lateness:
    """How far the reading of one stream is behind, seen by its own stamps.

    Who decodes more slowly than the camera sends falls behind by all that the network keeps.
    """

    def __init__(self) -> None:
        self._usual: float | None = None
        self._stamp = 0.0
        self._arrived = 0.0

    def behind_s(self, stamp: float | None, arrived: float) -> float:
        """Seconds. stamp: the packet's, in seconds, or None; arrived: a monotonic clock's."""
        if stamp is None:
            return 0.0
        delay = arrived - stamp
        if self._usual is None or abs(stamp - self._stamp) > MOST_STEP_S:
            self._usual = delay
        self._usual = min(delay, self._usual + DRIFT * (arrived - self._arrived))
        self._stamp, self._arrived = stamp, arrived
        return delay - self._usual
