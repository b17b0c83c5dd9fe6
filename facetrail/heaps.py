"""How many heaps the C library keeps for the threads of a process."""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8  # malloc.h


def few_heaps(most: int) -> None:
    """For a process of many threads, before they start; where the C library is glibc.

    Else each of 64 threads has a heap of its own, and each keeps what it freed.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_ARENA_MAX, most)
