"""`facetrail models fetch`: the files of models that are not on this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from facetrail import download
from facetrail.cli.json_line import print_json
from facetrail.cli.models import Model
from facetrail.errors import BadModelFile
from facetrail.model_files import ModelFile, downloads
from facetrail.settings import Settings

Outcome = Literal["downloaded", "copied", "present", "failed"]
_WORDS = {"downloaded": "is downloaded", "copied": "is copied", "present": "was here"}


class Fetched(msgspec.Struct, frozen=True):
    """What became of one file, as `--json` prints it. sentence: why it failed."""

    model: str
    file: str
    outcome: Outcome
    path: str | None
    sentence: str | None = None


def run(models: list[Model], settings: Settings, given: Path | None, *, as_json: bool) -> bool:
    """Gets the files of those models; False where one could not be had.

    given: a copy to take instead of downloading. Raises BadParameter unless it is for one file.
    """
    files: dict[str, tuple[Model, ModelFile]] = {}
    for model in models:
        for file in model.files:
            files.setdefault(file.name, (model, file))  # encoders may share one
    if given is not None and len(files) != 1:
        raise typer.BadParameter("--from goes with one NAME, of a model with one file")
    results = [
        _print_fetched(model, file, settings, given, as_json=as_json)
        for model, file in files.values()
    ]
    return all(results)


def _print_fetched(
    model: Model, file: ModelFile, settings: Settings, given: Path | None, *, as_json: bool
) -> bool:
    try:
        outcome, path = _fetched(file, settings, given)
    except BadModelFile as error:
        failed = Fetched(model.name, file.name, "failed", None, str(error))
        _print(failed, str(error), as_json)
        return False
    says = _WORDS[outcome]
    if file.package is not None:
        says = f"comes with the package {file.package}"
    elif file.carrier is not None:
        says = "is part of Facetrail"
    _print(Fetched(model.name, file.name, outcome, str(path)), f"{file.name} {says}", as_json)
    return True


def _fetched(file: ModelFile, settings: Settings, given: Path | None) -> tuple[Outcome, Path]:
    """Raises BadModelFile. A damaged file in the folder of downloads is replaced."""
    places = settings.models
    folder = downloads(places["cache_dir"])
    if given is not None:
        return "copied", download.copy(file, given, folder)
    found = file.find(**places)
    if file.url is None or (found is not None and found.parent != folder):
        return "present", file.open(**places)
    if found is not None and file.difference(found) is None:
        return "present", found
    with _bar(file) as progress:
        return "downloaded", download.download(file, folder, progress=progress)


@contextmanager
def _bar(file: ModelFile) -> Iterator[download.Progress]:
    """On a terminal a bar on stderr, which is gone in the end."""
    console = Console(stderr=True)
    columns = (TextColumn(file.name), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(file.name, total=file.size)
        yield lambda done: bar.update(task, completed=done)


def _print(fetched: Fetched, says: str, as_json: bool) -> None:
    if as_json:
        print_json(fetched)
    elif fetched.outcome == "failed":
        print(f"facetrail: {says}", file=sys.stderr)
    else:
        print(f"{fetched.model}: {says}: {fetched.path}")
