"""Memory that was freed goes back to the system."""

from __future__ import annotations

import psutil

from facetrail.heaps import give_back_freed

BLOCKS, SIZE = 1_000, 60_000  # too small to be mapped each by itself


def test_what_a_busy_moment_took_is_given_back() -> None:
    # Given much that was freed, between blocks that are still in use
    taken, kept = [], []
    for _ in range(BLOCKS):
        taken.append(bytes(SIZE))
        kept.append(bytes(1_000))
    process = psutil.Process()
    taken.clear()
    before = process.memory_info().rss

    give_back_freed()

    # I expect most of it to be the system's again
    assert before - process.memory_info().rss > BLOCKS * SIZE / 2
    assert len(kept) == BLOCKS
