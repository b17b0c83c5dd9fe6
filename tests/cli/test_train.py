"""`facetrail train`, as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

SMALL = ("--passes", "1", "--people-per-batch", "2", "--photos-per-person", "2", "--held-out", "0")


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Three people, each with three chips of a colour of their own."""
    random = np.random.default_rng(1)
    for name in ("Ada", "Grace", "Mary"):
        (tmp_path / "people" / name).mkdir(parents=True)
        colour = random.integers(0, 255, 3)
        for i in range(3):
            chip = np.clip(colour + random.integers(-9, 9, (112, 112, 3)), 0, 255)
            cv2.imwrite(str(tmp_path / "people" / name / f"{i}.png"), chip.astype(np.uint8))
    return tmp_path / "people"


def train(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "facetrail.cli", "train", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ})


@pytest.mark.slow
def test_it_makes_an_encoder_of_a_folder(people: Path, tmp_path: Path) -> None:
    done = train(tmp_path, str(people), "--to", "mine.keras", "--json", *SMALL)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["file"], answer["best"]["number"]) == ("mine.keras", 1)
    assert (tmp_path / "mine.keras").stat().st_size > 1_000_000
    assert (tmp_path / "facetrail-training" / "curves.png").is_file()


def test_one_person_is_too_few(people: Path, tmp_path: Path) -> None:
    done = train(
        tmp_path, str(people), "--to", "mine.keras", "--leave-out", "ada", "--leave-out", "GRACE"
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == (
        "facetrail: there are 1 people, 1 of them with two photos or more: triplets need two "
        "people with two photos each; add photos, or name a --teacher"
    )
    assert not (tmp_path / "mine.keras").exists()


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["--to", "mine.h5"], 1, "mine.h5 is no name for an encoder: end it in .keras"),
        (["--to", "mine.keras", "--teacher", "nobody"], 1, "there is no encoder 'nobody' here"),
        (["--to", "mine.keras", "--mining", "easy"], 2, "'easy' is not one of"),
        ([], 2, "Missing option '--to'"),
        (["--to", "my encoder.keras"], 1, "an encoder's file is named with 1 to 64 letters"),
        (["--to", "people/Ada/0.png/mine.keras"], 1, "mine.keras can't be written"),
        (["--to", "mine.keras", "--leave-out", "Adda"], 1, "--leave-out Adda: nobody's folder is"),
        (["--to", "mine.keras", "--leave-out-fold", "5"], 2, "goes with --leave-out-pairs"),
        (["--to", "mine.keras", "--unnamed", "people"], 2, "--unnamed goes with --teacher"),
        (["--to", "mine.keras", "--rate", "nan"], 2, "--rate is above 0 and below 1"),
        (["--to", "mine.keras", "--alpha", "0"], 2, "--alpha is above 0 and at most 4"),
    ],
)
def test_what_it_cant_do_is_said(
    people: Path, tmp_path: Path, words: list[str], status: int, sentence: str
) -> None:
    done = train(tmp_path, str(people), *words)
    assert done.returncode == status
    assert sentence in done.stderr
    assert not list(tmp_path.glob("mine.*"))
