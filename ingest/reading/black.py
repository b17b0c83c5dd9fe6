"""Notices a picture that is black: a lens that is covered, a sensor that has died."""

from __future__ import annotations

import numpy as np

from ingest.reading.cut import Points

#: Luma of the darkest grey that is not black; black itself is 16, or 0.
DARK = 24.0
#: A little may be brighter: many cameras write the time into the picture.
BRIGHT_SHARE = 0.1
#: How long before it is said: a cut in a film, or eyes that get used to the dark, are shorter.
BLACK_S = 5.0


class BlackFinder:
    """Follows whether one stream's picture is black."""

    def __init__(self) -> None:
        self.black = False
        self._since: float | None = None

    def changed(self, points: Points, seconds: float) -> bool:
        """Whether `black` has changed. points: luma of a frame; seconds: its time, growing."""
        if np.count_nonzero(points > DARK) > BRIGHT_SHARE * points.size:
            self._since = None
        elif self._since is None:
            self._since = seconds
        black = self._since is not None and seconds - self._since >= BLACK_S
        changed, self.black = black != self.black, black
        return changed
