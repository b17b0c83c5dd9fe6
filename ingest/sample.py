"""Which frames are worth a look."""

from __future__ import annotations

#: A stamp further than this from the one before is a clock that jumped, not a pause.
MOST_STEP_S = 10.0


class StreamClock:
    """Seconds that only grow, out of a stream's own stamps where these make sense.

    The stamps say when a frame was taken, better than its arrival: packets come in bursts.
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._stamp: float | None = None
        self._arrived: float | None = None

    def seconds(self, stamp: float | None, arrived: float) -> float:
        """The time of a frame. stamp: the stream's, or None; arrived: a monotonic clock's."""
        step = None
        if stamp is not None and self._stamp is not None:
            step = stamp - self._stamp
        if step is None or not 0 <= step <= MOST_STEP_S:
            step = max(0.0, arrived - self._arrived) if self._arrived is not None else 0.0
        self._seconds += step
        self._stamp, self._arrived = stamp, arrived
        return self._seconds


class Sampler:
    """Lets `fps` frames a second through, evenly spaced where the stream has more."""

    def __init__(self, fps: float) -> None:
        self._period = 1.0 / fps
        self._next = 0.0

    def wants(self, seconds: float) -> bool:
        """Whether to look at the frame of that time, which grows from call to call."""
        # Half a frame of grace at 60 a second: stamps are rounded.
        if seconds < self._next - 0.008:
            return False
        # From where it was due, so that the rate holds; from here after a gap.
        due = self._next + self._period
        self._next = due if due > seconds else seconds + self._period
        return True
