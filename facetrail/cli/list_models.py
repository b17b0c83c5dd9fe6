"""`facetrail models list`: what each model is, what was measured of it, and where it lies."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.console import Console
from rich.filesize import decimal
from rich.table import Column, Table

from facetrail.cli.json_line import print_json
from facetrail.cli.models import Kind, Model, known
from facetrail.model_files import ModelFile
from facetrail.settings import Settings
from workers.encoders import registry

FIGURES = Path(registry.__file__).with_name("figures.json")


class Verification(msgspec.Struct, frozen=True):
    """On LFW. accuracy: 0 to 1. folds: of its pairs, counted from 1."""

    accuracy: float
    folds: list[int]


class Identification(msgspec.Struct, frozen=True):
    """Rates of a 1:N search, 0 to 1, among so many people."""

    fnir: float
    fpir: float
    people: int


class Figures(msgspec.Struct, frozen=True):
    """What was measured of an encoder. identification: by photos of each person enrolled."""

    lfw: Verification | None = None
    identification: dict[str, Identification] = {}


class ListedFile(msgspec.Struct, frozen=True):
    """A model's file. path: None where it is not on this machine."""

    name: str
    source: str
    url: str | None
    sha256: str
    licence: str
    size: int
    path: str | None


class Listed(msgspec.Struct, frozen=True):
    """One line of `models list --json`.

    url, sha256: of the only file, None of several. size: bytes of all files. path: of the
    first file, None unless all of them are here.
    """

    kind: Kind
    name: str
    id: str
    architecture: str
    source: str
    url: str | None
    sha256: str | None
    licence: str
    size: int
    files: list[ListedFile]
    path: str | None
    research_only: bool
    figures: Figures | None


def show_all(settings: Settings, *, as_json: bool) -> None:
    """Prints every model that is known, whether or not it is here."""
    figures = read_figures()
    listed = [_listed(model, settings, figures.get(model.name)) for model in known()]
    if as_json:
        for model in listed:
            print_json(model)
        return
    Console().print(_table(listed))
    for model in listed:
        _print_origin(model)


def read_figures(path: Path = FIGURES) -> dict[str, Figures]:
    """What `benchmarks` measured of each encoder; nothing where nothing readable is there."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Figures])
    except (FileNotFoundError, msgspec.MsgspecError):
        return {}


def _listed(model: Model, settings: Settings, figures: Figures | None) -> Listed:
    files = [_listed_file(file, settings) for file in model.files]
    only = files[0] if len(files) == 1 else None
    paths = [file.path for file in files]
    return Listed(
        kind=model.kind,
        name=model.name,
        id=model.id,
        architecture=model.architecture,
        source="; ".join(file.source for file in files),
        url=only.url if only else None,
        sha256=only.sha256 if only else None,
        licence=", ".join(dict.fromkeys(file.licence for file in files)),
        size=sum(file.size for file in model.files),
        files=files,
        path=paths[0] if all(paths) else None,
        research_only=model.research_only,
        figures=figures,
    )


def _listed_file(file: ModelFile, settings: Settings) -> ListedFile:
    path = file.find(**settings.models)
    return ListedFile(
        name=file.name,
        source=file.source,
        url=file.url,
        sha256=file.sha256,
        licence=file.licence,
        size=file.size,
        path=str(path) if path else None,
    )


def _table(listed: list[Listed]) -> Table:
    name, fnir = Column("name", no_wrap=True), Column("FNIR", no_wrap=True)
    caption = (
        "FNIR at FPIR 1 %, with 1 / 5 photos of each person: docs/accuracy.md\n"
        "* measured on the part only that it had not been trained on"
    )
    lfw = [model.figures.lfw for model in listed if model.figures]
    folds = max((len(one.folds) for one in lfw if one), default=0)
    table = Table(name, "licence", "size", "LFW", fnir, "here", caption=caption)
    for model in listed:
        table.add_row(
            model.name,
            model.licence,
            decimal(model.size),
            *_measured(model.figures or Figures(), folds),
            "yes" if model.path else "no",
        )
    return table


def _measured(figures: Figures, folds: int) -> tuple[str, str]:
    """Accuracy on LFW, and FNIR with one and with five photos enrolled.

    folds: of the pairs there are; an encoder measured on fewer is marked.
    """
    if figures.lfw is None:
        return "-", "-"
    mark = "" if len(figures.lfw.folds) == folds else " *"
    lfw = f"{figures.lfw.accuracy:.1%}{mark}"
    if not figures.identification:
        return lfw, "-"
    searches = (figures.identification.get(photos) for photos in ("1", "5"))
    return lfw, " / ".join(f"{one.fnir:.1%}" if one else "-" for one in searches) + mark


def _print_origin(model: Listed) -> None:
    print(f"\n{model.kind} {model.id}: {model.architecture}")
    for file in model.files:
        print(f"  {file.name}")
        print(f"    from    {file.url or file.source}")
        print(f"    SHA-256 {file.sha256}")
        print(f"    path    {file.path or 'not on this machine'}")
