"""A download is whole and verified, or it is one sentence and nothing is left in its place."""

from __future__ import annotations

import fcntl
import socket
from pathlib import Path

import pytest

from facetrail import download as downloading
from facetrail.download import copy, download
from facetrail.errors import BadModelFile
from facetrail.model_files import ModelFile
from tests.facetrail.zoo import WEIGHTS, Zoo, model_file

HALF = len(WEIGHTS) // 2


@pytest.fixture
def partial(tmp_path: Path) -> Path:
    """Where a download lies until it is whole."""
    return tmp_path / ".network.bin.partial"


def refused(file: ModelFile, folder: Path) -> str:
    """The sentence by which a download is refused."""
    with pytest.raises(BadModelFile) as caught:
        download(file, folder)
    assert not (folder / file.name).exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def left(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_file_is_put_in_its_place_under_its_own_name(zoo: Zoo, tmp_path: Path) -> None:
    told: list[int] = []
    folder = tmp_path / "cache" / "models"
    assert download(zoo.file, folder, progress=told.append) == folder / "network.bin"
    assert (folder / "network.bin").read_bytes() == WEIGHTS
    assert left(folder) == ["network.bin"]
    assert told == sorted(told) and told[-1] == len(WEIGHTS)


def test_what_was_cut_goes_on_where_it_was(zoo: Zoo, tmp_path: Path, partial: Path) -> None:
    # Given a connection that is cut in the middle
    zoo.cut_after = HALF
    sentence = refused(zoo.file, tmp_path)
    here = partial.stat().st_size
    assert 0 < here <= HALF
    assert sentence == (
        f"127.0.0.1 broke off after {here} of the {len(WEIGHTS)} bytes of network.bin: "
        "run `facetrail models fetch net` again, it goes on from there"
    )

    # If it is downloaded again, I expect only the rest to be asked for
    zoo.cut_after = None
    download(zoo.file, tmp_path)
    assert zoo.asked == [None, f"bytes={here}-"]
    assert (tmp_path / "network.bin").read_bytes() == WEIGHTS
    assert left(tmp_path) == ["network.bin"]


def test_a_few_bytes_before_a_cut_are_kept_too(zoo: Zoo, tmp_path: Path, partial: Path) -> None:
    partial.write_bytes(WEIGHTS[:-5000])
    zoo.cut_after = 4000
    zoo.says_size = False
    refused(zoo.file, tmp_path)
    assert partial.read_bytes() == WEIGHTS[:-1000]


def test_a_server_that_knows_no_ranges_sends_all_of_it(
    zoo: Zoo, tmp_path: Path, partial: Path
) -> None:
    partial.write_bytes(WEIGHTS[:HALF])
    zoo.ranges = False
    download(zoo.file, tmp_path)
    assert len(zoo.asked) == 1
    assert (tmp_path / "network.bin").read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("stale", "requests"),
    [
        (b"of another file", 2),
        (WEIGHTS[::-1], 1),
        (WEIGHTS + b"!", 1),
        (WEIGHTS, 0),
    ],
    ids=["another beginning", "another file as long", "too long", "whole already"],
)
def test_a_partial_file_that_is_of_no_use_is_begun_anew(
    stale: bytes, requests: int, zoo: Zoo, tmp_path: Path, partial: Path
) -> None:
    partial.write_bytes(stale)
    download(zoo.file, tmp_path)
    assert (tmp_path / "network.bin").read_bytes() == WEIGHTS
    assert left(tmp_path) == ["network.bin"]
    assert len(zoo.asked) == requests


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"status": 404}, "answered 404 Not Found"),
        ({"status": 503}, "answered 503 Service Unavailable"),
        (
            {"content": b"<html>Sign in", "content_type": "text/html; charset=utf-8"},
            "answered with a web page",
        ),
        (
            {"content": b"version https://git-lfs.github.com/spec/v1"},
            "has another file: expected 512000 bytes, offered 42",
        ),
        (
            {"content": WEIGHTS * 9, "says_size": False},
            "has another file: expected 512000 bytes, got more",
        ),
        ({"content": WEIGHTS[::-1]}, "was altered: expected SHA-256 "),
    ],
    ids=["missing", "overloaded", "page", "pointer", "endless", "altered"],
)
def test_another_answer_than_the_file_is_refused_and_nothing_is_left(
    wrong: dict[str, object], sentence: str, zoo: Zoo, tmp_path: Path
) -> None:
    for name, value in wrong.items():
        setattr(zoo, name, value)
    said = refused(zoo.file, tmp_path)
    assert f"{zoo.file.url} " in said and sentence in said
    assert said.endswith(
        "; try again later, or get it from the zoo, and name its folder in FACETRAIL_MODEL_DIR"
    )
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    "wrong",
    [{"status": 500}, {"content_type": "text/html"}, {"shift": 1}, {"content": WEIGHTS * 2}],
)
def test_a_refused_answer_does_not_take_away_what_came_before(
    wrong: dict[str, object], zoo: Zoo, tmp_path: Path, partial: Path
) -> None:
    partial.write_bytes(WEIGHTS[:HALF])
    for name, value in wrong.items():
        setattr(zoo, name, value)
    refused(zoo.file, tmp_path)
    assert partial.read_bytes() == WEIGHTS[:HALF]


def test_a_server_s_file_that_ends_before_what_is_here_is_another_file(
    zoo: Zoo, tmp_path: Path, partial: Path
) -> None:
    partial.write_bytes(WEIGHTS[:HALF])
    zoo.content = WEIGHTS[:1000]
    assert "expected 512000 bytes, offered 1000" in refused(zoo.file, tmp_path)
    assert zoo.asked == [f"bytes={HALF}-", None]
    assert left(tmp_path) == []


def test_a_host_that_does_not_answer_is_one_sentence(tmp_path: Path, zoo: Zoo) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = model_file(f"http://127.0.0.1:{closed.getsockname()[1]}/network.bin")
    sentence = refused(nobody, tmp_path)
    assert sentence.startswith("127.0.0.1 can't be reached (ConnectionError): see to the network")
    assert left(tmp_path) == []


def test_a_server_that_falls_silent_is_not_waited_for(
    zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo.go_on.clear()
    monkeypatch.setattr(downloading, "READ_S", 0.1)
    assert "can't be reached (ReadTimeout)" in refused(zoo.file, tmp_path)


def test_a_full_disk_is_one_sentence(zoo: Zoo, tmp_path: Path, partial: Path) -> None:
    partial.symlink_to("/dev/full")
    assert refused(zoo.file, tmp_path) == (
        f"network.bin can't be saved in {tmp_path} (No space left on device): make room there, "
        "or name another folder in FACETRAIL_CACHE_DIR"
    )


def test_a_folder_that_can_t_be_made_is_one_sentence(zoo: Zoo, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(BadModelFile, match=r"can't be saved in .*cache/models \(Not a directory\)"):
        download(zoo.file, tmp_path / "cache" / "models")
    assert zoo.asked == []


def test_two_downloads_of_one_file_do_not_write_into_each_other(
    zoo: Zoo, tmp_path: Path, partial: Path
) -> None:
    # Given another process in the middle of it
    with partial.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        other.write(WEIGHTS[:HALF])
        other.flush()

        # I expect the second to say so, and to leave it alone
        assert "is being downloaded by another process" in refused(zoo.file, tmp_path)
        assert partial.read_bytes() == WEIGHTS[:HALF]
    assert zoo.asked == []


def test_a_file_without_an_address_is_not_downloaded(tmp_path: Path) -> None:
    assert refused(model_file(None), tmp_path) == (
        "network.bin has no public address: get it from the zoo, and name its folder in "
        "FACETRAIL_MODEL_DIR"
    )


def test_a_copy_under_any_name_takes_the_place_of_a_download(tmp_path: Path) -> None:
    given, folder = tmp_path / "stick.params", tmp_path / "cache" / "models"
    given.write_bytes(WEIGHTS)
    folder.mkdir(parents=True)
    (folder / ".network.bin.partial").write_bytes(b"begun")
    assert copy(model_file(None), given, folder).read_bytes() == WEIGHTS
    assert left(folder) == ["network.bin"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (WEIGHTS[:-1], "stick.params is cut short: expected 512000 bytes, got 511999"),
        (WEIGHTS[::-1], "stick.params was altered: expected SHA-256"),
        (None, "stick.params is not a file: name one that is network.bin"),
    ],
)
def test_a_copy_that_is_not_the_file_is_refused(
    given: bytes | None, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "stick.params"
    if given is not None:
        path.write_bytes(given)
    with pytest.raises(BadModelFile) as caught:
        copy(model_file(None), path, tmp_path / "models")
    assert sentence in str(caught.value)
    assert not (tmp_path / "models").exists()
