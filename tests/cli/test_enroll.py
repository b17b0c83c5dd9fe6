"""`facetrail enroll` and `people`: a reason for every photo, and nobody half-enrolled."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import pytest
import redis

from facetrail.model_files import ModelFile
from facetrail.store import Keys
from index.gallery import Gallery
from ingest.faces.centerface import FILE as CENTERFACE
from tests.cli.conftest import Run
from workers.encoders.registry import entry_of


@pytest.fixture
def gallery(client: redis.Redis, keys: Keys) -> Gallery:
    return Gallery(client, keys)


def names(gallery: Gallery) -> list[str]:
    return [person.name for person in gallery.people()]


def test_one_person_is_enrolled_by_the_photos_that_can_be_taken(
    facetrail: Run, photos: Path, gallery: Gallery
) -> None:
    # Given a good photo among six that are none
    bad = {
        "nobody.jpg": "no_face",
        "three.jpg": "several_faces",
        "small.png": "too_small",
        "text.jpg": "not_an_image",
        "cut.jpg": "not_an_image",
        "missing.jpg": "not_an_image",
    }
    files = [photos / name for name in ("eileen.png", *bad)]

    # If she is enrolled by all of them
    done = facetrail("enroll", "Eileen Collins", *files)

    # I expect her to be there, and a line with the reason for each other photo
    assert (done.returncode, done.stdout) == (0, "Eileen Collins: 1 photo accepted\n")
    lines = done.stderr.splitlines()
    assert len(lines) == len(bad)
    for line, (name, reason) in zip(lines, bad.items(), strict=True):
        assert line.startswith(f"  {reason}: {photos / name}")
    assert names(gallery) == ["Eileen Collins"]

    # and nobody to be enrolled by her photo under another name
    again = facetrail("enroll", "Ben", photos / "eileen.png")
    assert again.returncode == 1
    assert again.stderr.startswith("  duplicate_photo: ") and "Eileen Collins" in again.stderr
    assert names(gallery) == ["Eileen Collins"]

    # but the same again to do no harm, and not to read like a failure
    again = facetrail("enroll", "eileen collins", photos / "eileen.png")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == "eileen collins: 1 photo enrolled before\n"


def test_new_photos_beside_those_of_before_are_counted_apart(
    facetrail: Run, photos: Path, tmp_path: Path
) -> None:
    # Given a folder whose first photo is enrolled, then one more, and one that is none
    person = tmp_path / "people" / "Grace Hopper"
    person.mkdir(parents=True)
    shutil.copy(photos / "grace.jpg", person)
    assert facetrail("enroll", "--folder", person.parent).returncode == 0
    larger = cv2.resize(cv2.imread(str(photos / "grace.jpg")), None, fx=1.1, fy=1.1)
    cv2.imwrite(str(person / "larger.jpg"), larger)
    shutil.copy(photos / "text.jpg", person)

    # If it is enrolled again, I expect a sentence only for what could not be taken
    done = facetrail("enroll", "--folder", person.parent)
    assert done.stdout == "Grace Hopper: 1 photo accepted, 1 enrolled before\n"
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert done.stderr.startswith("  not_an_image: ")

    # and a photo that is none to harm nobody who is enrolled, nor JSON to say less
    done = facetrail("enroll", "--folder", person.parent, "--json")
    assert done.returncode == 0
    refused = [refusal["reason"] for refusal in json.loads(done.stdout)["rejected"]]
    assert refused == ["duplicate_photo", "duplicate_photo", "not_an_image"]


def test_a_person_without_a_good_photo_is_not_enrolled(
    facetrail: Run, photos: Path, client: redis.Redis, keys: Keys
) -> None:
    done = facetrail("enroll", "Ben", photos / "three.jpg", photos / "text.jpg", "--json")
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    outcome = json.loads(line)
    assert (outcome["name"], outcome["id"], outcome["accepted"]) == ("Ben", None, [])
    assert [refusal["reason"] for refusal in outcome["rejected"]] == [
        "several_faces",
        "not_an_image",
    ]
    assert done.stderr == ""
    assert client.keys() == []


def test_a_folder_per_person_is_enrolled_and_shown_and_removed(
    facetrail: Run, people: Path, photos: Path, tmp_path: Path, gallery: Gallery
) -> None:
    # Given two people, one whose photo is none, and one without photos
    folder = tmp_path / "people"
    shutil.copytree(people, folder)
    (folder / "Ben").mkdir()
    shutil.copy(photos / "nobody.jpg", folder / "Ben")
    (folder / "Cleo").mkdir()
    (folder / ".hidden").mkdir()

    done = facetrail("enroll", "--folder", folder, "--json")

    # I expect the two to be enrolled, and a status that says that not all are
    assert done.returncode == 1
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [outcome["name"] for outcome in outcomes] == [
        "Ben",
        "Cleo",
        "Eileen Collins",
        "Grace Hopper",
    ]
    assert [len(outcome["accepted"]) for outcome in outcomes] == [0, 0, 1, 1]
    assert [outcome["id"] for outcome in outcomes[2:]] == [p.id for p in gallery.people()]

    # and to be listed
    listed = facetrail("people", "list", "--json")
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    assert [(row["name"], row["photos"]) for row in rows] == [
        ("Eileen Collins", 1),
        ("Grace Hopper", 1),
    ]
    assert rows[0]["encoder"] == entry_of("dlib_resnet").id
    assert "Grace Hopper" in facetrail("people", "list").stdout

    # until one is removed
    assert facetrail("people", "remove", "grace hopper").returncode == 0
    assert names(gallery) == ["Eileen Collins"]
    again = facetrail("people", "remove", "Grace Hopper")
    assert again.returncode == 1
    assert again.stderr == (
        "facetrail: nobody called 'Grace Hopper' is enrolled: `facetrail people list` shows who "
        "is\n"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["two\nlines", "a.jpg"], "a person's name has 1 to 200 printable characters"),
        (["", "a.jpg"], "a person's name has 1 to 200 printable characters"),
        (["--folder", "/nowhere"], "/nowhere is not a folder: name one with photos"),
        (["--folder", "/proc/self/task"], "/proc/self/task has no folder with photos"),
    ],
)
def test_what_stops_all_of_it_is_one_sentence(
    arguments: list[str], sentence: str, facetrail: Run
) -> None:
    done = facetrail("enroll", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"facetrail: {sentence}")
    assert done.stderr.count("\n") == 1


def damaged(file: ModelFile, folder: Path, how: str) -> Path:
    """A copy of a model file that is cut short or altered, in a folder of its own."""
    folder.mkdir()
    data = bytearray(file.open(None, folder).read_bytes())
    data[1000] ^= how == "altered"
    (folder / file.name).write_bytes(data[: -9 if how == "cut short" else None])
    return folder


@pytest.mark.parametrize(
    "file", [entry_of("dlib_resnet").files[0], CENTERFACE], ids=lambda f: f.name
)
@pytest.mark.parametrize("how", ["cut short", "altered"])
def test_a_damaged_model_file_is_one_sentence(
    how: str, file: ModelFile, facetrail: Run, photos: Path, tmp_path: Path, gallery: Gallery
) -> None:
    folder = damaged(file, tmp_path / "models", how)
    done = facetrail("enroll", "Ada", photos / "eileen.png", FACETRAIL_MODEL_DIR=str(folder))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"facetrail: {folder / file.name} ")
    assert how in done.stderr and "get it again" in done.stderr
    assert done.stderr.count("\n") == 1
    assert names(gallery) == []


def test_a_missing_model_file_is_one_sentence_or_a_traceback_if_wanted(
    facetrail: Run, photos: Path, tmp_path: Path
) -> None:
    command = ("enroll", "Ada", photos / "eileen.png")
    done = facetrail(*command, FACETRAIL_ENCODER="retail0095")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("facetrail: face-reidentification-retail-0095.bin is not on ")
    assert done.stderr.count("\n") == 1

    done = facetrail("--debug", *command, FACETRAIL_ENCODER="retail0095")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert "BadModelFile: face-reidentification-retail-0095.bin is not on" in done.stderr
