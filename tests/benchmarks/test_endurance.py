"""Cameras that fail at random come back, and nothing grows or stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.endurance import run


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize(("seconds", "cameras", "every_s"), [(16, 2, 5), (1800, 8, 20)])
def test_every_camera_is_back_soon_and_nothing_stays(
    rtsp_server: object, tmp_path: Path, seconds: float, cameras: int, every_s: float
) -> None:
    outcome = run(tmp_path, seconds=seconds, cameras=cameras, every_s=every_s, seed=1)
    assert len(outcome.happened) >= 2
    assert outcome.longest_back_s < 30, outcome.happened
    assert outcome.untold == []
    assert outcome.orphans == 0
    if seconds > 1000:  # before, what the start left behind weighs too much
        assert outcome.growth < 0.05
