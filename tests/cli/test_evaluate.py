"""`facetrail evaluate`, on a few real faces: figures that come out, and what can't be used."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import cv2
import pytest
import typer
from typer.testing import CliRunner

from facetrail.cli.app import app
from facetrail.cli.evaluate import counts_said, folds_said
from tests.cli.conftest import Run
from training.lfw import read_pairs
from workers.encoders.registry import entry_of, open_encoder

EACH = 3  # pairs of each kind in a fold


@pytest.fixture(scope="session")
def lfw(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`images/` and `pairs.txt`: the first pairs of each kind of two folds of LFW."""
    folder = tmp_path_factory.mktemp("lfw")
    whole = test_data / "faces" / "lfw"
    lines = (whole / "pairs.txt").read_text().splitlines()[1:]
    taken = [line for start in range(0, 1200, 300) for line in lines[start : start + EACH]]
    (folder / "pairs.txt").write_text("\n".join([f"2\t{EACH}", *taken]) + "\n")
    for name in {word for line in taken for word in line.split() if not word.isdecimal()}:
        shutil.copytree(whole / "images" / name, folder / "images" / name)
    return folder


@pytest.fixture(scope="session")
def celebs(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four chips of each of three people."""
    folder = tmp_path_factory.mktemp("celebs")
    for name in ("barack_obama", "keira_knightley", "tina_fey"):
        (folder / name).mkdir()
        for photo in sorted((test_data / "faces" / "celebs" / name).iterdir())[:4]:
            shutil.copy(photo, folder / name)
    return folder


def test_verification_prints_a_row_for_each_kind_of_chips(
    lfw: Path, facetrail: Run, cache_dir: Path
) -> None:
    open_encoder("dlib_resnet+mirrored", model_dir=None, cache_dir=cache_dir, device="cpu")
    done = facetrail(
        *("evaluate", "lfw", "--images", lfw / "images", "--pairs", lfw / "pairs.txt"),
        *("--encoder", "dlib_resnet", "--unaligned", "--mirrored", "--json"),
    )
    assert done.returncode == 0
    rows = [json.loads(line) for line in done.stdout.splitlines()]

    # I expect what alignment and the mirrored chip do
    assert [(row["encoder"], row["chips"]) for row in rows] == [
        ("dlib_resnet", "unaligned"),
        ("dlib_resnet", "aligned"),
        ("dlib_resnet+mirrored", "unaligned"),
        ("dlib_resnet+mirrored", "aligned"),
    ]
    plain, last = rows[1], rows[-1]
    assert plain["id"] == entry_of("dlib_resnet").id
    assert (plain["pairs"], plain["folds"], plain["undecided"]) == (4 * EACH, [1, 2], 0)
    assert plain["accuracy"] == last["accuracy"] == 1.0
    assert (plain["auc"], plain["eer"], plain["tar"]) == (1.0, 0.0, {"1e-2": 1.0, "1e-3": 1.0})
    assert plain["threshold"] != last["threshold"]


def test_photos_that_can_not_be_used_are_named_and_their_pairs_counted_as_wrong(
    lfw: Path, facetrail: Run, tmp_path: Path
) -> None:
    # Given pairs one photo of which is black, and one is no picture
    shutil.copytree(lfw, tmp_path / "lfw")
    pairs = read_pairs(lfw / "pairs.txt", tmp_path / "lfw" / "images")
    uses = Counter(photo for pair in pairs for photo in (pair.first, pair.second))
    black, *_, broken = (pair.first for pair in pairs if uses[pair.first] == 1)
    cv2.imwrite(str(black), cv2.imread(str(black)) * 0)
    broken.write_text("no picture")
    command = ("evaluate", "lfw", "--images", tmp_path / "lfw" / "images")
    command += ("--pairs", tmp_path / "lfw" / "pairs.txt", "--encoder", "dlib_resnet")

    done = facetrail(*command, "--json")

    # I expect one object, their two pairs in it, and both named
    assert done.returncode == 0
    row = json.loads(done.stdout)
    assert row["undecided"] == 2
    assert row["accuracy"] == pytest.approx(1 - 2 / (4 * EACH))
    assert f"1 of {len(uses)} photos without a face:\n  {black}: no face" in done.stderr
    assert "photos that can't be read, skipped:\n  " + str(broken) in done.stderr

    # and a table that says so
    done = facetrail(*command, "--folds", "1")
    assert done.returncode == 0
    assert "dlib_resnet" in done.stdout
    assert f"{2 * EACH} pairs, fold 1; 1 lack a face and count as wrong" in (
        " ".join(done.stdout.split())
    )


def test_identification_prints_rates_and_draws_the_curves(
    lfw: Path, celebs: Path, facetrail: Run, tmp_path: Path
) -> None:
    command = ("evaluate", "identification", "--people", celebs, "--strangers", lfw / "images")
    alone = ("--encoder", "pixels")
    done = facetrail(*command, *alone, "--photos", "1,3", "--draws", 3, "--det", tmp_path / "a.png")
    assert done.returncode == 0
    assert "3 people" in done.stdout and "3 draws" in done.stdout
    assert cv2.imread(str(tmp_path / "a.png")) is not None
    assert "an FPIR of 0.3% takes 334 strangers" in done.stderr

    done = facetrail(*command, "--photos", "1", "--draws", "3", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["encoder"] for row in rows] == ["pixels", "nn4_small2", "dlib_resnet"]
    pixels, _, dlib = rows

    # and on stderr which encoders are not here
    assert "not on this machine: " in done.stderr and "retail0095" in done.stderr
    (own,), (naive,) = dlib["rounds"], pixels["rounds"]
    assert (own["photos"], own["people"], own["probes"]) == (1, 3, 9)
    assert [point["wanted"] for point in own["at"]] == [0.003, 0.01, 0.1]
    assert own["at"][1]["fnir"] < naive["at"][1]["fnir"]
    assert (own["shipped"]["threshold"], naive["shipped"]) == (0.36, None)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"--people": "one"}, "one has photos of 1 people: name a folder"),
        ({"--people": "gone"}, "gone is not a folder"),
        ({"--people": "single"}, "0 of 3 people have more than 1 photos with a face"),
        ({"--strangers": "people"}, "people has no photo of anybody who is not enrolled"),
        ({"--strangers": "noise"}, "no face was found in any stranger's photo"),
        ({"--photos": "4"}, "0 of 3 people have more than 4 photos with a face"),
        ({"--det": "det.jpg"}, "det.jpg is not called like a PNG"),
        ({"--encoder": "nonsense"}, "there is no encoder 'nonsense' here"),
    ],
)
def test_what_stops_identification_is_one_sentence(
    changes: dict[str, str], sentence: str, lfw: Path, celebs: Path, facetrail: Run, tmp_path: Path
) -> None:
    shutil.copytree(celebs, tmp_path / "people")
    for person in sorted(celebs.iterdir()):
        shutil.copytree(person, tmp_path / "single" / person.name)
        for photo in sorted((tmp_path / "single" / person.name).iterdir())[1:]:
            photo.unlink()
    shutil.copytree(celebs / "tina_fey", tmp_path / "one" / "tina_fey")
    (tmp_path / "noise").mkdir()
    (tmp_path / "noise" / "a.jpg").write_text("no picture")
    folders = {name: str(tmp_path / name) for name in ("one", "gone", "single", "people", "noise")}
    given = {"--people": str(tmp_path / "people"), "--strangers": str(lfw / "images")}
    given |= {"--encoder": "pixels", "--photos": "1"}
    given |= {option: folders.get(value, value) for option, value in changes.items()}

    done = facetrail(
        "evaluate", "identification", *(word for pair in given.items() for word in pair)
    )

    assert (done.returncode, done.stdout) == (1, "")
    last = done.stderr.splitlines()[-1]
    assert last.startswith("facetrail: ") and sentence in last


def test_what_stops_verification_is_one_sentence(lfw: Path, facetrail: Run, tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text("no pairs\n")
    done = facetrail("evaluate", "lfw", "--images", lfw, "--pairs", tmp_path / "pairs.txt")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"facetrail: {tmp_path}/pairs.txt, line 1: expected the number")

    done = facetrail("evaluate", "lfw", "--images", lfw, "--pairs", lfw / "pairs.txt")
    assert (done.returncode, done.stdout) == (1, "")
    assert "_0001.jpg is not there (" in done.stderr and done.stderr.count("\n") == 1


def test_folds_and_counts_are_read_as_said() -> None:
    assert folds_said("5") == {5}
    assert folds_said("1-5") == {1, 2, 3, 4, 5}
    assert folds_said("1, 3-4") == {1, 3, 4}
    assert counts_said("5,1,1") == [1, 5]
    for wrong in ("", "0", "5-1", "1-", "a", "1;2", "99999"):
        with pytest.raises(typer.BadParameter):
            folds_said(wrong)
    for wrong in ("", "0", "1,", "1-5", "-1"):
        with pytest.raises(typer.BadParameter):
            counts_said(wrong)


@pytest.mark.parametrize(
    "arguments",
    [
        ["lfw"],
        ["lfw", "--images", "a", "--pairs", "b", "--folds", "none"],
        ["lfw", "--images", "a", "--pairs", "b", "--detector", "nonsense"],
        ["identification", "--people", "a"],
        ["identification", "--people", "a", "--strangers", "b", "--photos", "none"],
        ["identification", "--people", "a", "--strangers", "b", "--draws", "0"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    shown = CliRunner().invoke(app, ["evaluate", *arguments], prog_name="facetrail")
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert "Usage: facetrail evaluate" in shown.stderr
