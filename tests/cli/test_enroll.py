"""`facetrail enroll` and `people`: a reason for every photo, and nobody half-enrolled."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
import redis

from facetrail.cli.enroll_report import Report
from facetrail.model_files import ModelFile
from facetrail.store import Keys
from facetrail.wire import Encoder
from index.enrolment import Enrolment, Rejected
from index.gallery import Gallery
from ingest.faces.centerface import FILE as CENTERFACE
from ingest.faces.face import Picture
from tests.cli.conftest import COMMAND, Run, Start
from workers.encoders.registry import entry_of


def names(gallery: Gallery) -> list[str]:
    return [person.name for person in gallery.people()]


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory, hopper: Picture) -> Path:
    """A folder of 120 people, of whom each has two photos; they are all one, a little larger."""
    folder = tmp_path_factory.mktemp("crowd")
    for number in range(240):
        person = folder / f"P{number // 2:03}"
        person.mkdir(exist_ok=True)
        scale = 0.3 + number / 2000
        photo = cv2.resize(hopper[:450, :, ::-1], None, fx=scale, fy=scale)
        cv2.imwrite(str(person / f"{number}.png"), photo)
    return folder


@pytest.fixture
def people_zip(tmp_path: Path, people: Path) -> Path:
    """The folder per person as a zip."""
    path = tmp_path / "people.zip"
    with zipfile.ZipFile(path, "w") as made:
        for photo in sorted(people.rglob("*.*")):
            made.write(photo, f"people/{photo.relative_to(people)}")
    return path


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


def test_what_a_program_reads_does_not_go_where_the_bar_is(
    environment: dict[str, str], client: redis.Redis, redis_url: str, encoder: Encoder, people: Path
) -> None:
    # Given a terminal for messages and a pipe for JSON
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "enroll", "--folder", people, "--json"],
        env=environment | {"FACETRAIL_REDIS_URL": redis_url, "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)

    # I expect the bar there, and every object here
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert [json.loads(line)["name"] for line in stdout.splitlines()] == [
        "Eileen Collins",
        "Grace Hopper",
    ]
    assert b"Enrolling" in os.read(ours, 100_000)
    os.close(ours)


def test_a_zip_is_enrolled_like_a_folder_per_person(
    facetrail: Run, people_zip: Path, photos: Path, tmp_path: Path, gallery: Gallery
) -> None:
    done = facetrail("enroll", "--zip", people_zip)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "Eileen Collins: 1 photo accepted",
        "Grace Hopper: 1 photo accepted",
        "2 people: 2 enrolled, 0 enrolled before, 0 not",
        "2 photos: 2 accepted, 0 enrolled before, 0 refused",
    ]
    assert names(gallery) == ["Eileen Collins", "Grace Hopper"]
    assert [path.name for path in tmp_path.rglob("*.png")] == []

    # again it does nothing; and a zip among photos is photos of that person
    again = facetrail("enroll", "--zip", people_zip, "--json")
    outcomes = [json.loads(line) for line in again.stdout.splitlines()]
    assert (again.returncode, [one["accepted"] for one in outcomes]) == (0, [[], []])
    larger = cv2.resize(cv2.imread(str(photos / "grace.jpg")), None, fx=1.1, fy=1.1)
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as made:
        made.writestr("any/where/larger.png", cv2.imencode(".png", larger)[1].tobytes())
        made.write(photos / "text.jpg", "text.jpg")
    done = facetrail("enroll", "Grace Hopper", tmp_path / "more.zip", photos / "grace.jpg")
    assert done.stdout == "Grace Hopper: 1 photo accepted, 1 enrolled before\n"
    assert done.stderr.startswith(f"  not_an_image: {tmp_path / 'more.zip'}/text.jpg is not an ")
    assert done.stderr.count("\n") == 1


def test_a_zip_that_can_not_be_trusted_changes_nothing(
    facetrail: Run, people_zip: Path, photos: Path, tmp_path: Path, gallery: Gallery
) -> None:
    with zipfile.ZipFile(people_zip, "a") as made:
        made.writestr("../../evil.jpg", b"x")
    done = facetrail("enroll", "--zip", people_zip)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"facetrail: {people_zip} has the member '../../evil.jpg', whose path leaves its folder; "
        "make it again\n"
    )
    assert names(gallery) == []

    # but of one person's photos only the zip is refused
    done = facetrail("enroll", "Grace", people_zip, photos / "grace.jpg", "--json")
    outcome = json.loads(done.stdout)
    assert (done.returncode, len(outcome["accepted"])) == (0, 1)
    assert [refusal["reason"] for refusal in outcome["rejected"]] == ["not_an_image"]


def test_what_was_measured_and_its_limit_are_told(
    facetrail: Run, photos: Path, gallery: Gallery
) -> None:
    done = facetrail(
        "enroll", "Eileen", photos / "three.jpg", photos / "small.png", photos / "eileen.png",
        photos / "text.jpg", "--json", FACETRAIL_PHOTO_MIN_SHARPNESS="9999",
    )  # fmt: skip
    assert done.returncode == 1
    refused = [
        (one["reason"], one["value"], one["limit"]) for one in json.loads(done.stdout)["rejected"]
    ]
    assert [(reason, limit) for reason, _, limit in refused] == [
        ("several_faces", 1),
        ("too_small", 40),
        ("blurred", 9999),
        ("not_an_image", None),
    ]
    assert refused[0][1] == 3 and 20 < refused[1][1] < 40 < refused[2][1] < 9999
    done = facetrail("enroll", "Eileen", photos / "eileen.png", FACETRAIL_PHOTO_MAX_YAW="0")
    assert done.stderr.startswith("  turned_away: ")


def test_photos_that_look_like_somebody_else_are_refused_warned_of_or_trusted(
    facetrail: Run, photos: Path, people: Path, tmp_path: Path, gallery: Gallery
) -> None:
    # Given two people, and another photo of one
    assert facetrail("enroll", "--folder", people).returncode == 0
    again = tmp_path / "again.png"
    cv2.imwrite(
        str(again), cv2.resize(cv2.imread(str(photos / "eileen.png")), None, fx=1.1, fy=1.1)
    )

    # If it is given for the other, I expect it to be refused, but if the operator knows better
    done = facetrail("enroll", "Grace Hopper", again)
    assert done.returncode == 1
    assert done.stderr.startswith(f"  looks_like_other_person: {again}: ")
    assert "Eileen Collins" in done.stderr and "--trust" in done.stderr

    # and for somebody new to be taken, with a warning
    done = facetrail("enroll", "E. Collins", again)
    assert (done.returncode, done.stdout) == (0, "E. Collins: 1 photo accepted\n")
    assert done.stderr.startswith("  warning: E. Collins may be the same person as Eileen Collins")
    assert "`facetrail people merge 'E. Collins' 'Eileen Collins'`" in done.stderr
    gallery.remove("E. Collins")
    done = facetrail("enroll", "E. Collins", again, "--json")
    (warning,) = json.loads(done.stdout)["warnings"]
    assert warning["name"] == "Eileen Collins"
    assert 0 <= warning["distance"] <= warning["threshold"] == entry_of("dlib_resnet").threshold
    gallery.remove("E. Collins")
    assert facetrail("enroll", "Grace Hopper", again, "--trust").returncode == 0


def test_photos_in_folders_of_a_person_s_folder_are_counted(
    facetrail: Run, people: Path, photos: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "people"
    shutil.copytree(people, folder)
    for name in ("Grace Hopper/trip/day/1.jpg", "Grace Hopper/trip/2.jpg", "3.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photos / "grace.jpg", folder / name)
    done = facetrail("enroll", "--folder", folder)
    assert (done.returncode, done.stderr) == (
        0,
        f"{folder}: 3 left out, not right in a person's folder; move them into one\n",
    )


@pytest.mark.parametrize("as_json", [pytest.param(True, marks=pytest.mark.slow), False])
def test_names_that_are_not_utf_8_are_shown_as_they_can_be(
    as_json: bool, facetrail: Run, photos: Path, tmp_path: Path, gallery: Gallery
) -> None:
    # Given a folder so called, of a person with a good photo so called, and two that are none
    folder = tmp_path / os.fsdecode(b"\xe9t\xe9")
    person = folder / "Grace Hopper"
    person.mkdir(parents=True)
    shutil.copy(photos / "grace.jpg", person / os.fsdecode(b"caf\xe9.jpg"))
    shutil.copy(photos / "text.jpg", person / os.fsdecode(b"\xff.jpg"))
    (person / os.fsdecode(b"\xfe.jpg")).symlink_to("nowhere")

    # If it is enrolled, I expect the words to be told, whole
    done = facetrail("enroll", "--folder", folder, *["--json"] * as_json)
    assert done.returncode == 0, done.stderr
    told = done.stdout if as_json else done.stderr
    lost = "\N{REPLACEMENT CHARACTER}"
    assert f"/{lost}t{lost}/Grace Hopper/{lost}.jpg can't be read" in told
    assert f"/{lost}t{lost}/Grace Hopper/{lost}.jpg is not an image" in told
    (photo,) = gallery.photos(gallery.named("Grace Hopper").id)
    assert photo.source == f"caf{lost}.jpg"
    done = facetrail("enroll", "--folder", folder / "gone", *["--json"] * as_json)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)

    # and a person who is so called to be refused in one sentence
    person.rename(folder / os.fsdecode(b"Zo\xeb"))
    done = facetrail("enroll", "--folder", folder, *["--json"] * as_json)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "printable characters" in done.stderr


def test_somebody_removed_meanwhile_is_told_of(
    capsys: pytest.CaptureFixture[str],
) -> None:
    known = Rejected("1.jpg", "duplicate_photo", "1.jpg is enrolled already", own=True)
    removed = Enrolment("Ada", None, (), (known,), removed=True)
    report = Report(1, as_json=False)
    report.tell(removed)
    said = capsys.readouterr()
    assert not report.everyone
    assert said.err == (
        "  removed: somebody took them out of the gallery meanwhile; enrol them again\n"
    )
    Report(1, as_json=True).tell(removed)
    assert json.loads(capsys.readouterr().out)["removed"] is True


def test_of_many_people_only_trouble_and_a_summary_are_told(
    facetrail: Run, crowd: Path, photos: Path, tmp_path: Path, gallery: Gallery
) -> None:
    # Given a crowd, of whom one more has no good photo, and a photo that is nobody's
    folder = tmp_path / "crowd"
    shutil.copytree(crowd, folder)
    (folder / "Ben").mkdir()
    shutil.copy(photos / "nobody.jpg", folder / "Ben")
    shutil.copy(photos / "nobody.jpg", folder)

    # If they are enrolled
    done = facetrail("enroll", "--folder", folder, "--trust")

    # I expect lines for trouble, and what became of all
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "Ben: 0 photos accepted",
        "121 people: 120 enrolled, 0 enrolled before, 1 not",
        "241 photos: 240 accepted, 0 enrolled before, 1 refused (1 no_face)",
    ]
    lines = done.stderr.splitlines()
    assert lines[0] == f"{folder}: 1 left out, not right in a person's folder; move them into one"
    assert lines[1].startswith("  no_face: ")
    assert lines[2] == (
        "119 may be somebody else too, by a threshold that `facetrail calibrate` sets for as many "
        "people as there are; most of all"
    )
    assert len(lines[3:]) == 10 and all(line.startswith("  warning: P") for line in lines[3:])
    assert all(len(gallery.photos(person.id)) == 2 for person in gallery.people())


@pytest.mark.timeout(400)
def test_ctrl_c_leaves_whole_people_and_the_next_run_goes_on(
    facetrail: Run,
    start: Start,
    crowd: Path,
    gallery: Gallery,
    redis_url: str,
    tmp_path: Path,
    wait_for: Callable[..., None],
) -> None:
    # Given an enrolment that has begun
    command = ("enroll", "--folder", crowd, "--trust")
    process = start(*command, FACETRAIL_REDIS_URL=redis_url, FACETRAIL_THREADS="1")
    wait_for(lambda: gallery.people(), timeout_s=180)  # beside other tests

    # If it is interrupted
    process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate(timeout=60)

    # I expect it to say so, and nobody to be there by half
    there = gallery.people()
    assert 0 < len(there) < 120
    assert process.returncode == 1
    said = (tmp_path / "stderr").read_text()
    told = re.search(r"stopped after (\d+) of 120 people; run it again to go on from there", said)
    assert told is not None and stdout.startswith(f"{told[1]} people: {told[1]} enrolled")
    assert len(there) - 1 <= int(told[1]) <= len(there)  # who has just come may not be told of yet
    assert all(len(gallery.photos(person.id)) == 2 for person in there)

    # and the next run to enrol the others
    done = facetrail(*command)
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == (
        f"120 people: {120 - len(there)} enrolled, {len(there)} enrolled before, 0 not"
    )
    assert len(gallery.people()) == 120


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["two\nlines", "a.jpg"], "a person's name has 1 to 200 printable characters"),
        (["", "a.jpg"], "a person's name has 1 to 200 printable characters"),
        (["--folder", "/nowhere"], "/nowhere is not a folder: name one with photos"),
        (["--folder", "/proc/self/task"], "/proc/self/task has no folder with photos"),
        (["--zip", "/nowhere.zip"], "/nowhere.zip can't be read (No such file or directory)"),
        (["--zip", "/dev/null"], "/dev/null is no zip that can be read"),
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
