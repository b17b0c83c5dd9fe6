"""Memory that was freed, and that the C library keeps."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Gives freed memory back to the system, where the C library can be told to: glibc can.

    It keeps up to 64 MB at the end of each of its heaps, and all that lies before something still
    in use: after a large index was built, a tenth of the encodings' size and more.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
