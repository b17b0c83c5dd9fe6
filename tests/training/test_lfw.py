"""LFW's protocol, on pairs small enough to check by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facetrail.errors import BadSettings
from facetrail.wire import Encodings
from training.lfw import PARTS, Pair, Verification, in_folds, photos_of, read_pairs, verify

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


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (PAIRS.rpartition("Cleo")[0], "expected 4 pairs, got 3; get the whole file"),
        ("", "line 1: expected the number of folds and of pairs of each kind in one"),
        ("<html>\n", "line 1: expected the number of folds"),
        (PAIRS.replace("2", "-2", 1), "line 1: expected the number of folds"),
        (PAIRS.replace("2", "2" * 5000, 1), "line 1: expected the number of folds"),
        (PAIRS.replace("Ada\t1\t2", "Ada\t1"), "line 2: expected `name n m` for one person or"),
        (PAIRS.replace("3\tBen", "three\tBen"), "line 3: expected .* got 'Ada three Ben 4'"),
        (PAIRS.replace("3\tBen", "3\tAda"), "line 3: expected .* got 'Ada 3 Ada 4'"),
        (PAIRS.replace("Ben\t10", "\t"), "line 4: expected"),
    ],
)
def test_a_malformed_pairs_file_is_refused_by_its_line(
    text: str, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "pairs.txt").write_text(text)
    with pytest.raises(BadSettings, match=f"pairs.txt[:,] {sentence}"):
        read_pairs(tmp_path / "pairs.txt", tmp_path)


def test_what_is_no_pairs_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "face.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(BadSettings, match="face.jpg is no text; name a pairs file"):
        read_pairs(tmp_path / "face.jpg", tmp_path)
    with pytest.raises(BadSettings, match="gone.txt can't be read"):
        read_pairs(tmp_path / "gone.txt", tmp_path)


def test_folds_are_chosen_and_counted_from_one(tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text(PAIRS)
    pairs = read_pairs(tmp_path / "pairs.txt", tmp_path)
    assert in_folds(pairs, {2}) == pairs[2:]
    assert in_folds(pairs, {1, 2}) == pairs
    with pytest.raises(BadSettings, match="there is no fold 3: the pairs file has folds 1 to 2"):
        in_folds(pairs, {1, 3})


def test_a_photo_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text(PAIRS)
    pairs = read_pairs(tmp_path / "pairs.txt", tmp_path)
    wanted = sorted({photo for pair in pairs for photo in (pair.first, pair.second)})
    for photo in wanted[1:]:
        photo.parent.mkdir(exist_ok=True)
        photo.touch()
    with pytest.raises(BadSettings, match=r"Ada_0001.jpg is not there \(1 of the pairs' 7 photos"):
        photos_of(pairs)
    wanted[0].touch()
    assert photos_of(pairs) == wanted


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


def test_a_pair_without_an_encoding_counts_as_wrong_and_is_counted() -> None:
    # Given pairs that can be told apart, ten in each of two folds
    made = [pair(fold, 30 + i, same=True) for fold in range(2) for i in range(5)]
    made += [pair(fold, 90 + i, same=False) for fold in range(2) for i in range(5)]
    encodings = {path: rows for _, found in made for path, rows in found.items()}
    pairs = [one for one, _ in made]

    # If no face was found in a photo of one of each kind, in different folds
    del encodings[pairs[0].first], encodings[pairs[-1].second]
    figures = verify(pairs, encodings)

    # I expect each fold to have one of ten wrong, and the same pair never to be accepted
    assert (figures.accuracy, figures.deviation) == (0.9, 0.0)
    assert (figures.pairs, figures.undecided) == (20, 2)
    assert figures.tar == {1e-2: 0.9, 1e-3: 0.9}
    assert figures.auc == pytest.approx(0.9)


def test_no_face_in_any_pair_of_a_kind_is_refused() -> None:
    made = [pair(0, 30, same=True), pair(0, 90, same=False)]
    with pytest.raises(BadSettings, match="no face was found in both photos of any pair"):
        verify([one for one, _ in made], made[0][1])


def test_a_single_fold_is_dealt_into_parts_that_decide_each_other() -> None:
    # Given one fold of as many pairs of each kind as there are parts, one of them wrong
    made = [pair(4, 30 + i, same=True) for i in range(PARTS - 1)] + [pair(4, 120, same=True)]
    made += [pair(4, 90 + i, same=False) for i in range(PARTS)]

    # I expect one part to have one of its two pairs wrong
    figures = _verified(made)
    assert figures.accuracy == pytest.approx(1 - 0.5 / PARTS)
    assert figures.deviation == pytest.approx(np.std([0.5] + [1.0] * (PARTS - 1)))


def _verified(made: list[tuple[Pair, dict[Path, Encodings]]]) -> Verification:
    encodings = {path: rows for _, found in made for path, rows in found.items()}
    return verify([pair for pair, _ in made], encodings)
