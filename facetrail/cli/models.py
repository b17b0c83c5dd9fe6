"""The encoders and detectors that `facetrail models` knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import typer

from facetrail.model_files import ModelFile
from ingest.faces import detect
from workers.encoders import registry

Kind = Literal["encoder", "detector"]


@dataclass(frozen=True, slots=True)
class Model:
    """An encoder or a detector."""

    kind: Kind
    name: str
    id: str
    architecture: str
    research_only: bool
    files: tuple[ModelFile, ...]


def known() -> list[Model]:
    """Every encoder, best first, then every detector."""
    encoders = [
        Model(
            "encoder",
            entry.name,
            entry.id,
            entry.architecture,
            entry.research_only,
            entry.files,
        )
        for entry in registry.ENTRIES
    ]
    return encoders + [_detector(entry) for entry in detect.ENTRIES]


def _detector(entry: detect.Entry) -> Model:
    detector_id = f"{entry.name}@{entry.file.sha256[:8]}"
    return Model("detector", entry.name, detector_id, entry.architecture, False, (entry.file,))


def named(names: list[str]) -> list[Model]:
    """The models of those names; of none, all that may be used for anything.

    Raises BadParameter for a name that is not known.
    """
    models = {model.name: model for model in known()}
    if unknown := [name for name in names if name not in models]:
        raise typer.BadParameter(
            f"there is no model {', '.join(unknown)}; known are {', '.join(models)}"
        )
    if not names:
        return [model for model in models.values() if not model.research_only]
    return [models[name] for name in dict.fromkeys(names)]
