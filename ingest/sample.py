"""Which frames are worth a look."""

from __future__ import annotations

#: A stamp further than this from the one before is a clock that jumped, not a pause.
MOST_STEP_S = 10.0
SMOOTHING = 1 / 8


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
        self._before: float | None = None
        self._gap: float | None = None

    def wants(self, seconds: float) -> bool:
        """Whether to look at the frame of that time, which grows from call to call."""
        # The frame nearest to when one is due; half a frame early is nearer than the next.
        if seconds < self._next - min(self._usual_gap(seconds), self._period) / 2:
            return False
        # From where it was due, so that the rate holds; from here after a gap.
        due = self._next + self._period
        self._next = due if due > seconds else seconds + self._period
        return True

    def _usual_gap(self, seconds: float) -> float:
        """Seconds between frames of the stream, smoothed; a pause counts as a long gap."""
        if self._before is not None:
            gap = min(seconds - self._before, 2 * self._period)
            self._gap = gap if self._gap is None else self._gap + (gap - self._gap) * SMOOTHING
        self._before = seconds
        return self._gap or 0.0
