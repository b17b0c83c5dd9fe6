"""Every command says how it is used, and its errors in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import redis
import typer.main
from typer.testing import CliRunner

from facetrail.cli.app import app
from facetrail.embedded_redis import EmbeddedRedis
from facetrail.store import Keys
from index.gallery import Gallery
from index.photo import Photo
from tests.cli.conftest import Run

PHOTO = Photo(
    digest="0" * 64,
    source="ada.jpg",
    encoding=np.eye(128, dtype="<f4")[0].tobytes(),
    chip=b"",
)
GROUPS = ("cameras", "people", "unknowns", "models", "evaluate", "workers", "rejected")
COMMANDS = ["", "up", "ingest", "worker", "enroll", "watch", "identify", "verify", "calibrate"]
COMMANDS += ["train", "people", "people list", "people remove", "models", "models list"]
COMMANDS += ["models fetch", "evaluate", "evaluate lfw", "evaluate identification"]
COMMANDS += ["people show", "people status", "people rename", "people set", "people merge"]
COMMANDS += ["people split", "people not", "people re-encode", "people export", "people import"]
COMMANDS += ["cameras", "cameras list", "cameras test", "cameras preview"]
COMMANDS += ["workers", "workers list", "rejected", "rejected list", "rejected retry"]
COMMANDS += ["rejected purge", "doctor"]
COMMANDS += ["find", "trail", "unknowns", "unknowns list", "unknowns name"]


def test_these_are_all_commands() -> None:
    group = typer.main.get_command(app)
    found = {""} | set(group.commands)  # type: ignore[attr-defined]
    for name in GROUPS:
        found |= {f"{name} {own}" for own in group.commands[name].commands}  # type: ignore[attr-defined]
    assert found == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_an_example(command: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"], prog_name="facetrail")
    assert shown.exit_code == 0
    last = shown.stdout.strip().split("\n\n")[-1].strip()
    assert last.startswith("Example") and f"facetrail {command}" in last


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["enroll"],
        ["enroll", "Ada"],
        ["enroll", "Ada", "a.jpg", "--folder", "people"],
        ["watch", "--nonsense"],
        ["up", "--seconds", "soon"],
        ["up", "--seconds", "-1"],
        ["people", "remove"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    shown = CliRunner().invoke(app, arguments, prog_name="facetrail")
    assert shown.exit_code == 2
    assert shown.stdout == ""
    assert "Usage: facetrail" in shown.stderr


def test_wrong_usage_of_the_process_is_status_2(facetrail: Run) -> None:
    done = facetrail("enroll")
    assert (done.returncode, done.stdout) == (2, "")
    assert "give a NAME and photos or events of them, --folder DIR or" in done.stderr


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"FACETRAIL_REDIS_URL": "redis://u:s3cret@127.0.0.1:9/0"},
            "Redis at 127.0.0.1:9 does not",
        ),
        ({"FACETRAIL_REDIS_URL": "nonsense:s3cret"}, "FACETRAIL_REDIS_URL can't be used"),
        ({"FACETRAIL_REDIS_URL": ""}, "FACETRAIL_REDIS_URL is not set"),
        ({"FACETRAIL_THREADS": "many"}, "FACETRAIL_THREADS='many' can't be used"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    variables: dict[str, str], sentence: str, facetrail: Run
) -> None:
    done = facetrail("people", "list", "--json", **variables)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"facetrail: {sentence}")
    assert done.stderr.count("\n") == 1
    assert "s3cret" not in done.stderr


def test_a_redis_that_refuses_is_one_sentence(
    facetrail: Run, client: redis.Redis, keys: Keys
) -> None:
    client.set(keys.gallery_people, "not a hash")
    done = facetrail("people", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("facetrail: Redis refused (") and done.stderr.count("\n") == 1


def test_the_redis_of_a_running_up_is_found_by_the_data_folder(
    facetrail: Run, tmp_path: Path
) -> None:
    # Given the Redis that `up` starts, with somebody in it
    server = EmbeddedRedis(tmp_path / "data" / "redis")
    with redis.Redis.from_url(server.start()) as client:
        Gallery(client, Keys()).enrol("Ada", [PHOTO], encoder="any@0")

    # If a command is told of the data folder only, I expect it to be asked
    done = facetrail("people", "list", FACETRAIL_REDIS_URL="")
    server.stop()
    assert (done.returncode, done.stderr) == (0, "")
    assert "Ada" in done.stdout

    # and not when it has ended
    done = facetrail("people", "list", FACETRAIL_REDIS_URL="")
    assert done.returncode == 1
    assert done.stderr.startswith("facetrail: FACETRAIL_REDIS_URL is not set")


@pytest.mark.parametrize("role", ["worker", "ingest"])
def test_a_role_without_a_redis_is_one_sentence(role: str, facetrail: Run, tmp_path: Path) -> None:
    cameras = tmp_path / "cameras.yml"
    cameras.write_text("cameras: {lobby: {url: webcam:0}}")
    done = facetrail(role, FACETRAIL_REDIS_URL="", FACETRAIL_CAMERAS=str(cameras))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("facetrail: FACETRAIL_REDIS_URL is not set")
    assert done.stderr.count("\n") == 1
