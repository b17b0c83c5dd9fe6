"""`facetrail calibrate`: measured, stored for every worker, or refused and nothing stored."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from facetrail.cli import calibrate
from facetrail.cli.app import app
from facetrail.errors import BadSettings, GalleryError
from facetrail.settings import Settings
from facetrail.store import Keys
from facetrail.wire import Encoder
from index.calibration import Calibration
from index.enrolment import Enroller
from index.gallery import Gallery
from index.photo import Photo
from ingest.faces.face import Detector
from tests.cli.conftest import Run
from workers.encoders.choice import chosen
from workers.encoders.registry import entry_of

ENTRY = entry_of("dlib_resnet")
Capture = pytest.CaptureFixture[str]
EnrolPeople = Callable[..., None]


@pytest.fixture
def settings(redis_url: str, cache_dir: Path) -> Settings:
    return Settings(redis_url=redis_url, cache_dir=cache_dir, threads=1, model_dir=None)


@pytest.fixture
def enrol_people(gallery: Gallery) -> EnrolPeople:
    """`enrol_people(10)`: made-up people with two photos each, far from each other."""

    def enrol(count: int, encoder: str = ENTRY.id) -> None:
        random = np.random.default_rng(0)
        for person in range(count):
            middle = random.normal(size=128)
            photos = []
            for number in range(2):
                row = middle + 0.05 * random.normal(size=128)
                encoding = (row / np.linalg.norm(row)).astype("<f4").tobytes()
                photos.append(
                    Photo(digest=f"{person} {number}", source="", encoding=encoding, chip=b"")
                )
            gallery.enrol(f"Person {person}", photos, encoder=encoder)

    return enrol


def test_what_is_found_is_stored_and_told_until_it_is_reset(
    facetrail: Run,
    settings: Settings,
    gallery: Gallery,
    enrol_people: EnrolPeople,
    capsys: Capture,
) -> None:
    # Given ten people, who come to five trials
    enrol_people(10)
    position = gallery.position()

    done = facetrail("calibrate", "--fpir", "0.02", "--json")

    # I expect one object that says how little they support, and the threshold not to be raised
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["encoder"] == ENTRY.id
    assert (report["threshold"], report["margin"]) == (ENTRY.threshold, ENTRY.margin)
    assert report["fpir"]["rate"] == 0 < report["fpir"]["high"] < 1
    assert report["fnir"]["rate"] == 0
    assert (report["people"], report["strangers"]) == (10, 0)
    assert (report["trials"], report["known"]) == (20, 20)
    assert (report["independent_trials"], report["needed_trials"]) == (5, 150)
    assert (report["supported_fpir"], report["enough"]) == (0.6, False)
    (warning,) = report["warnings"]
    assert "too few strangers for an FPIR of 2 %: it takes 150 independent trials" in warning
    assert "these come to 5, enough for 60 %" in warning
    assert report["before"] == {
        "threshold": ENTRY.threshold,
        "margin": ENTRY.margin,
        "calibrated_at": None,
    }

    # and it to be in force, at a new position of the log
    stored = gallery.calibration(ENTRY.id)
    assert stored is not None and report["stored"]
    assert (stored.threshold, stored.fpir) == (ENTRY.threshold, 0.02)
    assert gallery.position() != position

    # until it is reset
    calibrate.reset(settings, as_json=False)
    shown = capsys.readouterr()
    assert shown.out == "the encoder's own hold again: threshold 0.3600, margin 0.0200\n"
    assert gallery.calibration(ENTRY.id) is None


def test_a_dry_run_stores_nothing_and_says_what_is_in_force(
    settings: Settings, gallery: Gallery, enrol_people: EnrolPeople, capsys: Capture
) -> None:
    enrol_people(10)
    before = Calibration(threshold=0.31, margin=0.04, fpir=0.01, calibrated_at="2027-01-15")
    gallery.calibrate(ENTRY.id, before)

    calibrate.run(settings, fpir=0.7, folder=None, dry_run=True, as_json=False)

    shown = capsys.readouterr()
    assert "before      threshold 0.3100, margin 0.0400, of 2027-01-15\n" in shown.out
    assert "stored      no, this was a dry run\n" in shown.out
    assert shown.err == ""  # five trials are enough for 70 %
    assert gallery.calibration(ENTRY.id) == before


def test_a_user_s_own_encoder_is_calibrated_by_its_file(
    settings: Settings, gallery: Gallery, enrol_people: EnrolPeople, own: Path
) -> None:
    settings = settings.model_copy(update={"encoder": str(own)})
    encoder = chosen(None, settings).id
    enrol_people(10, encoder)

    calibrate.run(settings, fpir=0.7, folder=None, dry_run=False, as_json=False)
    assert gallery.calibration(encoder) is not None

    calibrate.reset(settings, as_json=False)
    assert gallery.calibration(encoder) is None


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_people_are_refused_and_nothing_is_stored(
    count: int, settings: Settings, gallery: Gallery, enrol_people: EnrolPeople
) -> None:
    enrol_people(count)
    position = gallery.position()
    with pytest.raises(GalleryError, match=f"at least two people enrolled, there are {count}"):
        calibrate.run(settings, fpir=0.5, folder=None, dry_run=False, as_json=False)
    assert gallery.position() == position


def test_a_folder_of_strangers_is_searched_for_and_what_cant_be_used_is_named(
    settings: Settings,
    gallery: Gallery,
    enrol_people: EnrolPeople,
    detector: Detector,
    encoder: Encoder,
    photos: Path,
    tmp_path: Path,
    capsys: Capture,
) -> None:
    # Given strangers' photos, in a folder and out of one, a copy, and one of somebody enrolled
    enrol_people(2)
    Enroller(gallery, detector, encoder, min_face=40).enrol("Grace", [photos / "grace.jpg"])
    folder = tmp_path / "strangers"
    (folder / "Eileen").mkdir(parents=True)
    for name in ("grace.jpg", "three.jpg", "nobody.jpg"):
        shutil.copy(photos / name, folder)
    shutil.copy(photos / "cut.jpg", folder / os.fsdecode(b"\xff.jpg"))
    for name in ("one.png", "copy.png"):
        shutil.copy(photos / "eileen.png", folder / "Eileen" / name)

    calibrate.run(settings, fpir=0.9, folder=folder, dry_run=False, as_json=True)

    report = json.loads(capsys.readouterr().out)
    assert (report["people"], report["strangers"], report["trials"]) == (3, 1, 6)
    assert {Path(one["photo"]).name: one["reason"] for one in report["skipped"]} == {
        "grace.jpg": "duplicate_photo",
        "three.jpg": "several_faces",
        "\N{REPLACEMENT CHARACTER}.jpg": "not_an_image",
        "nobody.jpg": "no_face",
        "one.png": "duplicate_photo",
    }
    assert all(one["photo"] in one["sentence"] for one in report["skipped"])
    assert report["closest"]["distance"] > 0
    assert gallery.calibration(ENTRY.id) is not None


def test_somebody_enrolled_under_two_names_is_pointed_out(
    settings: Settings, gallery: Gallery, enrol_people: EnrolPeople, capsys: Capture
) -> None:
    enrol_people(10)
    (photo, _) = gallery.photos(gallery.named("Person 3").id)
    row = photo.numbers + np.float32(0.1) * np.eye(128, dtype=np.float32)[0]
    again = Photo(
        digest="again",
        source="",
        encoding=(row / np.linalg.norm(row)).astype("<f4").tobytes(),
        chip=b"",
    )
    gallery.enrol("Namesake", [again], encoder=ENTRY.id)

    calibrate.run(settings, fpir=0.6, folder=None, dry_run=True, as_json=False)

    shown = capsys.readouterr()
    assert "Namesake" in shown.out and "Person 3" in shown.out
    assert (
        "warning: " in shown.err and "if they are the same, every figure here is wrong" in shown.err
    )


def test_a_calibration_that_cant_be_read_is_replaced_or_reset(
    settings: Settings, gallery: Gallery, keys: Keys, enrol_people: EnrolPeople, capsys: Capture
) -> None:
    enrol_people(3)
    for mend in (
        lambda: calibrate.reset(settings, as_json=True),
        lambda: calibrate.run(settings, fpir=0.5, folder=None, dry_run=False, as_json=True),
    ):
        gallery.client.set(keys.encoder(ENTRY.id), "spoiled")
        with pytest.raises(GalleryError):
            gallery.calibration(ENTRY.id)
        mend()
        gallery.calibration(ENTRY.id)
        *_, last = capsys.readouterr().out.splitlines()
        assert json.loads(last)["before"]["calibrated_at"] is None


@pytest.mark.parametrize(
    ("make", "sentence"),
    [(False, "is not a folder: name one with photos"), (True, "has no photos: put")],
)
def test_a_folder_without_photos_is_one_sentence(
    make: bool, sentence: str, settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "strangers"
    if make:
        folder.mkdir()
    with pytest.raises(BadSettings, match=f"strangers {sentence}"):
        calibrate.run(settings, fpir=0.5, folder=folder, dry_run=False, as_json=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--fpir", "0"],
        ["--fpir", "1"],
        ["--fpir", "-0.1"],
        ["--fpir", "nan"],
        ["--reset", "--dry-run"],
        ["--reset", "--strangers", "x"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    shown = CliRunner().invoke(app, ["calibrate", *arguments], prog_name="facetrail")
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert "Usage: facetrail calibrate" in shown.stderr
