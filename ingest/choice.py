"""Which chips of a track are worth sending."""

from __future__ import annotations

#: The first chips all go: the vote is open.
FIRST = 12
#: Later ones go when they are better by this factor,
BETTER = 1.1
#: or when the track has been quiet for so long, so that workers know it is still there.
QUIET_S = 1.0


class ChipChoice:
    """The choice for one track."""

    def __init__(self) -> None:
        self.sent = 0
        self._best = 0.0
        self._sent_at = 0.0

    def takes(self, score: float, seconds: float) -> bool:
        """Whether to send the chip of that quality; a yes counts it as sent."""
        better = score > self._best * BETTER
        if self.sent >= FIRST and not better and seconds - self._sent_at < QUIET_S:
            return False
        self.sent += 1
        self._best = max(self._best, score)
        self._sent_at = seconds
        return True
