"""Which chips of a track are worth sending."""

from __future__ import annotations

#: The first chips all go: the vote is open.
FIRST = 12
#: Then also one after so long, so that workers know the track is still there: one that is silent
#: for a minute has ended for them.
QUIET_S = 5.0


class ChipChoice:
    """The choice for one track.

    better_by: how much better than the best before a later chip must be, as a share of it.
    """

    def __init__(self, better_by: float) -> None:
        self.sent = 0
        self._bar = 1.0 + better_by
        self._best = 0.0
        self._sent_at = 0.0

    def may_take(self, most: float, seconds: float) -> bool:
        """Whether a chip of at most that quality may be one to send."""
        better = most > self._best * self._bar
        return self.sent < FIRST or better or seconds - self._sent_at >= QUIET_S

    def takes(self, score: float, seconds: float) -> bool:
        """Whether to send the chip of that quality; a yes counts it as sent."""
        if not self.may_take(score, seconds):
            return False
        self.sent += 1
        self._best = max(self._best, score)
        self._sent_at = seconds
        return True
