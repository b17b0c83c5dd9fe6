"""When a frame was taken."""

from __future__ import annotations

from typing import Literal

import structlog

#: A camera's clock further off than this is not believed: arrival is nearer to the truth, and
#: chips with wrong times expire or come from the future.
MOST_OFF_S = 2.0
#: One that was not believed must come nearer than this: it may waver about the limit.
AGAIN_OFF_S = 1.0

Clock = Literal["rtcp", "arrival"]

log = structlog.get_logger(__name__)


class CaptureClock:
    """Dates frames: by the camera's own clock where it says it and can be right, else by arrival.

    source: which of both the last frame was dated by; RTCP carries the camera's clock.
    """

    def __init__(self, camera: str) -> None:
        self.source: Clock = "arrival"
        self._camera = camera
        self._believed: bool | None = None
        self._last = 0
        self._behind = 0  # the camera's time, nanoseconds

    def at(self, taken_at: int | None, arrived_at: int) -> int:
        """Nanoseconds since the epoch, growing while the host's clock does.

        taken_at: by the camera's clock, or None. arrived_at: by this host's.
        """
        believed = taken_at is not None and self._believes(taken_at - arrived_at)
        self.source = "rtcp" if believed else "arrival"
        # Nothing comes from the future, also where the camera's clock is ahead a little.
        at = min(taken_at, arrived_at) if believed and taken_at is not None else arrived_at
        self._behind = arrived_at - at
        return self._growing(at, arrived_at)

    def after(self, arrived_at: int) -> int:
        """The same for a moment of which the stream says nothing, by what is known already."""
        return self._growing(arrived_at - self._behind, arrived_at)

    def _growing(self, at: int, arrived_at: int) -> int:
        if at <= self._last < arrived_at:
            at = self._last + 1
        self._last = at
        return at

    def _believes(self, ahead_ns: int) -> bool:
        """Says each change once."""
        ahead_s = ahead_ns / 1e9
        limit_s = AGAIN_OFF_S if self._believed is False else MOST_OFF_S
        believed = abs(ahead_s) <= limit_s
        if believed != self._believed:
            self._believed = believed
            self._say(believed, ahead_s)
        return believed

    def _say(self, believed: bool, ahead_s: float) -> None:
        if believed:
            log.info(
                "frames are dated by the camera's clock",
                camera=self._camera,
                clock="rtcp",
                behind_ms=round(-ahead_s * 1000),
            )
            return
        off = f"{abs(ahead_s):.0f} s {'ahead' if ahead_s > 0 else 'behind'}"
        log.warning(
            f"the camera's clock is {off} and not believed: set it right, best by NTP; frames are "
            "dated by their arrival",
            camera=self._camera,
            clock="arrival",
        )
