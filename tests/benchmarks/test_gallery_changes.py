"""Four workers search while two clients enrol and remove: nobody is wrong, all agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.gallery_changes import run


@pytest.mark.parametrize(
    "seconds", [4, pytest.param(60, marks=[pytest.mark.slow, pytest.mark.timeout(300)])]
)
def test_nobody_is_wrong_and_all_agree_in_the_end(tmp_path: Path, seconds: float) -> None:
    outcome = run(
        tmp_path,
        seconds=seconds,
        most=100_000,
        workers=4,
        clients=2,
        people=60,
        others=0,
        pause_s=0.005,
    )
    assert outcome.equal
    assert outcome.wrong == 0
    assert outcome.named > 0
    assert outcome.changes > 50
    assert np.all(np.isfinite(outcome.delays))
