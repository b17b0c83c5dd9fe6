"""How long to wait before the next try."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubles from `first_s` to `most_s`; each pause is shortened at random by up to a half.

    The chance keeps a hundred cameras behind one switch from coming back in the same instant.
    The longest pause leaves five seconds to open a stream within 30 s of its return.
    """

    first_s: float = 1.0
    most_s: float = 25.0

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row, from 1."""
        whole = min(self.most_s, self.first_s * 2.0 ** min(failures - 1, 30))
        return whole * random.uniform(0.5, 1.0)
