"""LFW's protocol, on pairs small enough to check by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facetrail.wire import Encodings
from training.lfw import Pair, Verification, accepted_at, read_pairs, verify

PAIRS = "2\t1\nAda\t1\t2\nAda\t3\tBen\t4\nBen\t10\t11\nCleo\t1\tAda\t1\n"


def at(degrees: float) -> Encodings:
    """An encoding `(128,)` at an angle to the first."""
    found = np.zeros(128, np.float32)
    found[:2] = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return found


def pair(fold: int, degrees: float, *, same: bool) -> tuple[Pair, dict[Path, Encodings]]:
    """A pair whose encodings are that far apart."""
    first, second = Path(f"{fold} {degrees} {same} a"), Path(f"{fold} {degrees} {same} b")
    return Pair(fold, first, second, same), {first: at(0), second: at(degrees)}


def test_pairs_are_read_fold_by_fold(tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text(PAIRS)
    images = Path("images")
    assert read_pairs(tmp_path / "pairs.txt", images) == [
        Pair(0, images / "Ada/Ada_0001.jpg", images / "Ada/Ada_0002.jpg", True),
        Pair(0, images / "Ada/Ada_0003.jpg", images / "Ben/Ben_0004.jpg", False),
        Pair(1, images / "Ben/Ben_0010.jpg", images / "Ben/Ben_0011.jpg", True),
        Pair(1, images / "Cleo/Cleo_0001.jpg", images / "Ada/Ada_0001.jpg", False),
    ]


def test_a_pairs_file_cut_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text(PAIRS.rpartition("Cleo")[0])
    with pytest.raises(ValueError, match="expected 4 pairs, got 3"):
        read_pairs(tmp_path / "pairs.txt", tmp_path)


def test_the_pairs_of_the_test_data_are_all_there(test_data: Path) -> None:
    lfw = test_data / "faces" / "lfw"
    pairs = read_pairs(lfw / "pairs.txt", lfw / "images")
    assert [pair.fold for pair in pairs] == [fold for fold in range(5) for _ in range(600)]
    assert sum(pair.same for pair in pairs) == 1500
    assert all(pair.first.is_file() and pair.second.is_file() for pair in pairs)


def test_pairs_that_can_be_told_apart_are_all_decided_rightly() -> None:
    made = [pair(fold, 30 + fold, same=True) for fold in range(3)]
    made += [pair(fold, 90 + fold, same=False) for fold in range(3)]
    figures = _verified(made)
    assert (figures.accuracy, figures.deviation) == (1.0, 0.0)
    assert 2 * np.sin(np.deg2rad(32 / 2)) < figures.threshold < 2 * np.sin(np.deg2rad(90 / 2))
    assert figures.tar == {1e-2: 1.0, 1e-3: 1.0}


def test_a_fold_is_decided_by_the_threshold_of_the_others() -> None:
    # Given two folds told apart by themselves, one of which lies wholly beyond the other
    made = [pair(0, 10, same=True), pair(0, 20, same=False)]
    made += [pair(1, 50, same=True), pair(1, 60, same=False)]

    # I expect one pair of each wrong: the other fold's threshold does not fit
    assert _verified(made).accuracy == 0.5


def test_a_wrong_fold_lowers_the_mean_and_is_seen_in_the_deviation() -> None:
    made = [pair(fold, 30 + i, same=True) for fold in range(4) for i in range(5)]
    made += [pair(fold, 90 + i, same=False) for fold in range(4) for i in range(5)]
    made[0] = pair(0, 120, same=True)  # one of ten pairs of the first fold
    figures = _verified(made)
    assert figures.accuracy == pytest.approx((0.9 + 1 + 1 + 1) / 4)
    assert figures.deviation == pytest.approx(np.std([0.9, 1, 1, 1]))


def test_the_accept_rate_is_read_at_the_share_of_false_ones() -> None:
    # Given a hundred different pairs at 1.00 to 1.99, and same pairs below and above them
    different = 1 + np.arange(100, dtype=np.float32) / 100
    same = np.array([0.5, 0.5, 1.005, 1.5], np.float32)
    distance = np.concatenate([different, same])
    is_same = np.arange(len(distance)) >= 100

    # I expect as many same ones as lie below the one different that is too many
    assert accepted_at(0.0, distance, is_same) == 0.5
    assert accepted_at(0.01, distance, is_same) == 0.75
    assert accepted_at(0.6, distance, is_same) == 1.0


def _verified(made: list[tuple[Pair, dict[Path, Encodings]]]) -> Verification:
    encodings = {path: rows for _, found in made for path, rows in found.items()}
    return verify([pair for pair, _ in made], encodings)
