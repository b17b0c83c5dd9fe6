"""Four workers search while two clients enrol and remove: nobody is wrong, all agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.gallery_changes import run, state_of


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


def test_the_same_encodings_of_others_are_not_equal() -> None:
    ada, ben = ("Ada", b"1"), ("Ben", b"2")
    assert state_of({ada, ben}) == state_of({ben, ada})
    assert state_of({ada, ben}) != state_of({("Ada", b"2"), ("Ben", b"1")})
