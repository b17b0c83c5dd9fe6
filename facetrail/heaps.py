"""The heaps that the C library keeps for the threads of a process, where it is glibc."""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8  # malloc.h
_libc = ctypes.CDLL(None)


def few_heaps(most: int) -> None:
    """For a process of many threads, before they start.

    Else each of 64 threads has a heap of its own, and each keeps what it freed.
    """
    set_option = getattr(_libc, "mallopt", None)
    if set_option is not None:
        set_option(_M_ARENA_MAX, most)


def give_back_freed() -> None:
    """Gives the system what was freed. By itself a heap gives back only what is at its end, so
    that it stays as large as its busiest moment made it.
    """
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(0)
