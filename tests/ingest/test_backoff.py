"""Pauses double up to a limit, and no two cameras keep step."""

from __future__ import annotations

import pytest

from ingest.backoff import Backoff


@pytest.mark.parametrize(
    ("failures", "whole"), [(1, 1.0), (2, 2.0), (3, 4.0), (5, 16.0), (6, 30.0), (100_000, 30.0)]
)
def test_a_pause_doubles_until_it_is_as_long_as_allowed(failures: int, whole: float) -> None:
    pauses = [Backoff(first_s=1.0, most_s=30.0).pause(failures) for _ in range(200)]
    assert all(whole / 2 <= pause <= whole for pause in pauses)


def test_a_pause_is_shortened_at_random() -> None:
    pauses = [Backoff().pause(6) for _ in range(200)]
    assert min(pauses) < 14 and 24 < max(pauses) < 25.1
    assert len(set(pauses)) > 190
