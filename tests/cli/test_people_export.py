"""`facetrail people export` and `import`: one file, whole or not at all, sealed if wanted."""

from __future__ import annotations

import io
import json
import os
import pty
import stat
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from facetrail.cli.people_export import fill
from facetrail.store import Keys
from index.gallery import Gallery
from index.transfer.sealed import Unsealing
from tests.cli.conftest import COMMAND, Run
from tests.index.exports import (
    CALIBRATION,
    ENCODER,
    enrol_three,
    everyone,
    everything,
    exported,
    real_photo,
)

WORDS = "correct horse battery staple"


@pytest.fixture
def gallery(client: redis.Redis, keys: Keys) -> Gallery:
    """Of three people."""
    made = Gallery(client, keys)
    enrol_three(made)
    return made


def test_a_gallery_goes_out_and_comes_back(
    facetrail: Run, gallery: Gallery, client: redis.Redis, tmp_path: Path
) -> None:
    # Given a gallery that is exported
    before = everyone(gallery)
    path = tmp_path / "people.facetrail"
    done = facetrail("people", "export", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"3 people with 5 photos are in {path}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == [path.name]

    # If another Redis imports it, first only to look
    client.flushdb()
    done = facetrail("people", "import", path, "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "3 people with 5 photos would be imported\n"
    assert everything(client) == {}
    done = facetrail("people", "import", path)

    # I expect everyone to be there as before
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "3 people with 5 photos are imported\n"
    assert everyone(gallery) == before
    assert gallery.calibration(ENCODER) == CALIBRATION

    # and a second time to be refused, or to leave them all out
    again = facetrail("people", "import", path)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith(f"facetrail: nobody was imported, since 3 of {path} are ")
    assert again.stderr.count("\n") == 1
    again = facetrail("people", "import", path, "--skip-existing")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == "0 people with 0 photos are imported, 3 are there already\n"


def test_both_tell_what_they_did_as_json(
    facetrail: Run, gallery: Gallery, client: redis.Redis, tmp_path: Path
) -> None:
    path = tmp_path / "people.facetrail"
    done = facetrail("people", "export", path, "--json")
    assert json.loads(done.stdout) == {
        "file": str(path),
        "people": 3,
        "photos": 5,
        "encoder": ENCODER,
        "encrypted": False,
    }
    client.flushdb()
    gallery.enrol("Ben", [real_photo(30)], encoder=ENCODER)
    gallery.calibrate(ENCODER, CALIBRATION)
    for dry_run in (True, False):
        options = ["--skip-existing", "--json"] + ["--dry-run"] * dry_run
        done = facetrail("people", "import", path, *options)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout) == {
            "file": str(path),
            "people": 2,
            "photos": 4,
            "skipped": 1,
            "encoder": ENCODER,
            "calibrated": None if dry_run else False,
            "dry_run": dry_run,
        }


def test_a_calibration_that_is_not_taken_is_said(
    facetrail: Run, gallery: Gallery, client: redis.Redis, tmp_path: Path
) -> None:
    path = exported(gallery, tmp_path / "people")
    for person in gallery.people():
        gallery.remove(person.name)
    done = facetrail("people", "import", path)
    assert done.returncode == 0
    assert done.stderr == "the calibration of before holds on, not the one in the file\n"


def test_an_encrypted_file_opens_by_its_passphrase_alone(
    facetrail: Run, gallery: Gallery, client: redis.Redis, tmp_path: Path
) -> None:
    # Given an encrypted file
    before = everyone(gallery)
    path = tmp_path / "people.age"
    done = facetrail("people", "export", path, "--encrypt", "--json", FACETRAIL_PASSPHRASE=WORDS)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["encrypted"] is True
    assert b'"Ben"' not in path.read_bytes()
    client.flushdb()

    # I expect one sentence for another passphrase, for none and for an empty one
    for words, sentence in (
        ("another", f"{path} can't be opened: the passphrase is another, the file is damaged, or"),
        ("", "an empty passphrase protects nothing"),
        (None, "there is no terminal to ask for the passphrase: set FACETRAIL_PASSPHRASE"),
    ):
        variables = {} if words is None else {"FACETRAIL_PASSPHRASE": words}
        done = facetrail("people", "import", path, **variables)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"facetrail: {sentence}")
        assert done.stderr.count("\n") == 1
        assert everything(client) == {}

    # and all to come by the right one
    done = facetrail("people", "import", path, FACETRAIL_PASSPHRASE=WORDS)
    assert (done.returncode, done.stderr) == (0, "")
    assert everyone(gallery) == before


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "there is no terminal to ask for the passphrase: set FACETRAIL_PASSPHRASE"),
        ({"FACETRAIL_PASSPHRASE": ""}, "an empty passphrase protects nothing: choose one of"),
        ({"FACETRAIL_PASSPHRASE": "\udcff"}, "the passphrase is no UTF-8: write it in letters"),
    ],
)
def test_nothing_is_encrypted_by_nothing(
    facetrail: Run,
    gallery: Gallery,
    tmp_path: Path,
    variables: dict[str, str],
    sentence: str,
) -> None:
    done = facetrail("people", "export", tmp_path / "people", "--encrypt", **variables)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"facetrail: {sentence}") and done.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == []


Typed = Callable[..., tuple[int, str]]


@pytest.fixture
def typed(environment: dict[str, str], redis_url: str) -> Typed:
    """`typed(["people", "export", …], *answers)` runs a command at a terminal; what it shows."""

    def run(arguments: list[str], *answers: str) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        shown: list[str] = []
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            env=environment | {"FACETRAIL_REDIS_URL": redis_url},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        thread = threading.Thread(target=_answer, args=(ours, list(answers), shown))
        thread.start()
        status = process.wait(timeout=60)
        thread.join()
        os.close(ours)
        return status, "".join(shown)

    return run


def _answer(terminal: int, answers: list[str], shown: list[str]) -> None:
    """Types the next answer whenever a question has been asked, until the terminal closes."""
    while True:
        try:
            piece = os.read(terminal, 4096).decode()
        except OSError:  # whoever held the other end has ended
            return
        if not piece:
            return
        shown.append(piece)
        if answers and piece.rstrip(" ").endswith((":", "again:")):
            os.write(terminal, f"{answers.pop(0)}\n".encode())


def test_at_a_terminal_the_passphrase_is_asked_twice_and_never_shown(
    typed: Typed, gallery: Gallery, client: redis.Redis, tmp_path: Path
) -> None:
    path = tmp_path / "people.age"
    status, shown = typed(["people", "export", str(path), "--encrypt"], WORDS, WORDS)
    assert status == 0, shown
    assert "Passphrase: " in shown and "The same again: " in shown
    assert WORDS not in shown

    # and at an import once
    before = everyone(gallery)
    client.flushdb()
    status, shown = typed(["people", "import", str(path)], WORDS)
    assert status == 0, shown
    assert "The same again" not in shown and WORDS not in shown
    assert everyone(gallery) == before


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ([WORDS, "another"], "the two passphrases differ: run it again and type the same twice"),
        (["", ""], "an empty passphrase protects nothing"),
    ],
)
def test_a_slip_at_the_terminal_is_noticed(
    typed: Typed, gallery: Gallery, tmp_path: Path, answers: list[str], sentence: str
) -> None:
    status, shown = typed(["people", "export", str(tmp_path / "x"), "--encrypt"], *answers)
    assert status == 1 and sentence in shown
    assert os.listdir(tmp_path) == []


def test_a_file_that_is_there_is_kept_unless_force_is_used(
    facetrail: Run, gallery: Gallery, tmp_path: Path
) -> None:
    path = tmp_path / "people"
    path.write_text("of before")
    done = facetrail("people", "export", path)
    assert done.returncode == 1
    assert done.stderr == (
        f"facetrail: {path} is there already: name another file, or overwrite with --force\n"
    )
    assert path.read_text() == "of before"

    assert facetrail("people", "export", path, "--force").returncode == 0
    assert path.read_bytes().startswith(b'{"type":"gallery"')
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_export_that_fails_leaves_no_file_and_the_one_of_before(
    facetrail: Run, gallery: Gallery, tmp_path: Path
) -> None:
    gallery.enrol("Dora", [real_photo(30, chip=b"no chip")], encoder=ENCODER)
    path = tmp_path / "people"
    path.write_text("of before")
    done = facetrail("people", "export", path, "--force")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("facetrail: Dora can't be exported: photo ")
    assert done.stderr.count("\n") == 1
    assert (os.listdir(tmp_path), path.read_text()) == (["people"], "of before")


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("", "is a folder: name a file in it"),
        ("nowhere/people", "can't be written (No such file or directory): name a file in a"),
    ],
)
def test_a_place_that_cant_be_written_is_one_sentence(
    facetrail: Run, gallery: Gallery, tmp_path: Path, path: str, sentence: str
) -> None:
    done = facetrail("people", "export", tmp_path / path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"facetrail: {tmp_path / path} {sentence}")
    assert done.stderr.count("\n") == 1


def test_an_empty_gallery_is_not_exported(
    facetrail: Run, client: redis.Redis, tmp_path: Path
) -> None:
    done = facetrail("people", "export", tmp_path / "people")
    assert done.returncode == 1
    assert done.stderr == "facetrail: nobody is enrolled, so there is nothing to export\n"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("words", [None, WORDS])
def test_a_file_that_is_filled_anew_holds_nothing_of_before(
    tmp_path: Path, words: str | None
) -> None:
    lines = [b"line %d\n" % i for i in range(10)]
    with (tmp_path / "people").open("w+b") as file:
        fill(file, iter([b"of before\n"] * 10_000), None)
        fill(file, iter(lines), words)
        file.seek(0)
        found = io.BytesIO()
        if words is None:
            found.write(file.read())
        else:
            Unsealing("people", file, words).read(found.write)
    assert found.getvalue() == b"".join(lines)


def test_a_file_of_a_strange_name_is_told_of_in_one_line(
    facetrail: Run, gallery: Gallery, client: redis.Redis, tmp_path: Path
) -> None:
    path = os.fsdecode(bytes(tmp_path) + b"/a\xff\nb\x1b[2J")
    told = f"{tmp_path}/a\ufffd\ufffdb\ufffd[2J"
    done = facetrail("people", "export", path)
    assert done.stdout == f"3 people with 5 photos are in {told}\n"
    done = facetrail("people", "export", path)
    assert done.stderr.startswith(f"facetrail: {told} is there already: ")
    assert done.stderr.count("\n") == 1
    done = facetrail("people", "export", path, "--force", "--json")
    assert json.loads(done.stdout)["file"] == told

    done = facetrail("people", "import", path)
    assert done.stderr.startswith(f"facetrail: nobody was imported, since 3 of {told} are ")
    assert done.stderr.count("\n") == 1
    client.flushdb()
    done = facetrail("people", "import", path, "--json")
    assert json.loads(done.stdout)["file"] == told


def test_what_cant_be_imported_is_one_sentence(
    facetrail: Run, gallery: Gallery, client: redis.Redis, tmp_path: Path
) -> None:
    whole = exported(gallery, tmp_path / "people").read_bytes()
    client.flushdb()
    path = tmp_path / "given"
    for data, sentence in (
        (whole[:-20], f"{path} is cut short: take another copy of it"),
        (whole.replace(b"Ben", b"Bob"), f"{path} is altered or damaged: take another copy of it"),
        (b"PK\x03\x04", f"{path} is no export of a gallery: name a file that `facetrail people"),
    ):
        path.write_bytes(data)
        done = facetrail("people", "import", path)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"facetrail: {sentence}"), done.stderr
        assert done.stderr.count("\n") == 1
    assert everything(client) == {}


def test_an_encoder_that_this_machine_has_not_is_warned_of(
    facetrail: Run, client: redis.Redis, keys: Keys, tmp_path: Path
) -> None:
    # Given a file of somebody's own encoder, and an empty gallery
    made = Gallery(client, keys)
    made.enrol("Ada", [real_photo(1)], encoder="mine@01234567")
    path = exported(made, tmp_path / "people")
    client.flushdb()

    # I expect it to be taken, with a word of warning
    done = facetrail("people", "import", path)
    assert done.returncode == 0
    assert done.stderr == (
        "facetrail: this machine has no encoder mine@01234567, which the gallery will belong to: "
        "workers need it\n"
    )
    assert made.encoder == "mine@01234567"
