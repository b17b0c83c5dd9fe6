"""The figures the project publishes: what an encoder was trained on is kept out of its own."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import pytest

from benchmarks import figures
from benchmarks.figures import UNSEEN, Share, run
from facetrail.settings import Settings
from training.lfw import read_pairs
from training.people import photos_by_person

EACH = 2  # pairs of each kind in a fold


@pytest.fixture
def given(test_data: Path, tmp_path: Path) -> argparse.Namespace:
    """A few pairs of folds 1 to 5, and six chips of each of the twelve people."""
    lfw = test_data / "faces" / "lfw"
    lines = (lfw / "pairs.txt").read_text().splitlines()[1:]
    taken = [line for start in range(0, 3000, 300) for line in lines[start : start + EACH]]
    (tmp_path / "pairs.txt").write_text("\n".join([f"5\t{EACH}", *taken]) + "\n")
    for person in (test_data / "faces" / "celebs").iterdir():
        (tmp_path / "people" / person.name).mkdir(parents=True)
        for photo in sorted(person.iterdir())[:6]:
            shutil.copy(photo, tmp_path / "people" / person.name)
    return argparse.Namespace(
        images=lfw / "images",
        pairs=tmp_path / "pairs.txt",
        people=tmp_path / "people",
        encoder=["pixels"],
        mirrored=False,
        to=tmp_path / "figures.json",
    )


def test_figures_are_written_beside_those_of_other_encoders_and_printed(
    given: argparse.Namespace, cache_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a file with the figures of another encoder
    given.to.write_text('{"other": {}}')

    run(Settings(model_dir=None, cache_dir=cache_dir), given)

    # I expect both in it
    found = json.loads(given.to.read_text())
    assert found["other"] == {}
    own = found["pixels"]
    assert own["lfw"].keys() == {"accuracy", "deviation", "auc", "eer", "tar", "folds"}
    assert own["lfw"]["folds"] == [1, 2, 3, 4, 5]
    assert own["lfw"]["tar"].keys() == {"1e-2", "1e-3"}
    assert own["identification"].keys() == {"1", "5"}
    assert own["identification"]["5"]["people"] == 12
    assert own["identification"]["5"]["fpir"] == 0.01

    # and tables, the second of the part that an encoder trained here has not seen
    printed = capsys.readouterr().out
    assert printed.count("| `pixels` | 5 |") == 1 + len(UNSEEN)
    assert "Only with what `nn4_small2` has not seen:" in printed


def test_what_an_encoder_was_trained_on_is_left_out(given: argparse.Namespace) -> None:
    part = UNSEEN["nn4_small2"]
    pairs = read_pairs(given.pairs, given.images)
    whole = Share.of(pairs, photos_by_person(given.people), given.images)

    share = whole.unseen(part, given.images)

    assert {pair.fold for pair in share.pairs} == {4}
    assert share.people.keys() == part.people
    of_fold = {photo for pair in share.pairs for photo in (pair.first, pair.second)}
    assert share.strangers and set(share.strangers) <= of_fold < set(whole.strangers) | of_fold


def test_the_figures_file_is_where_the_registry_is() -> None:
    assert (figures.FIGURES.parent / "registry.py").is_file()
