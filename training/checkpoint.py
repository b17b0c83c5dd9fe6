"""After every pass all that a killed training needs to go on."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import keras
import msgspec

from facetrail.errors import TrainingStopped
from training.aside import written_aside


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """One pass over the photos. loss: mean over its batches. seconds: it took.

    accuracy, auc, threshold: of the people held out, None where there are none.
    """

    number: int
    loss: float
    accuracy: float | None
    auc: float | None
    threshold: float | None = None
    seconds: float


class State(msgspec.Struct, frozen=True):
    """What has been done, and the plan it was begun with."""

    plan: dict[str, object]
    passes: list[Pass]

    @property
    def best(self) -> Pass | None:
        """The pass that tells the people held out apart best; the last one without such."""
        if not self.passes:
            return None
        return max(self.passes, key=lambda one: (one.auc or 0.0, one.number))


class Checkpoints:
    """Folders `pass-0007` in a run's folder: the model with its optimizer, and the state.

    The last one and the best one are kept.
    """

    def __init__(self, run: Path) -> None:
        self.run = run

    def last(self) -> tuple[Path, State] | None:
        """The newest one's model and state. Raises TrainingStopped if it can't be read."""
        found = sorted(self.run.glob("pass-*"))
        return (found[-1] / "model.keras", _read(found[-1])) if found else None

    def save(self, model: keras.Model, state: State) -> Path:
        """Raises TrainingStopped if it can't be written; the earlier ones stay."""
        folder = self.of(state.passes[-1].number)
        shutil.rmtree(folder, ignore_errors=True)
        with written_aside(folder) as aside:
            aside.mkdir()
            save_model(model, aside / "model.keras")
            (aside / "state.json").write_bytes(msgspec.json.encode(state))
        self._forget_others(state)
        return folder

    def of(self, number: int) -> Path:
        return self.run / f"pass-{number:04d}"

    def _forget_others(self, state: State) -> None:
        kept = {self.of(one.number) for one in (state.passes[-1], state.best) if one is not None}
        for folder in set(self.run.glob("pass-*")) - kept:
            shutil.rmtree(folder, ignore_errors=True)


def save_model(model: keras.Model, path: Path) -> None:
    """Raises OSError."""
    try:
        model.save(path)
    except RuntimeError as error:  # what h5py makes of a full disk, now and then
        raise OSError(str(error)) from error


def same_plan(old: Mapping[str, object], new: Mapping[str, object]) -> str | None:
    """The first option that differs, as a user reads it."""
    for name in (*old, *new):
        if old.get(name) != new.get(name):
            if name == "photos":
                return "the photos, or how their faces are found, have changed"
            return f"{name.replace('_', '-')} was {old.get(name)}, is {new.get(name)}"
    return None


def _read(folder: Path) -> State:
    try:
        return msgspec.json.decode((folder / "state.json").read_bytes(), type=State)
    except (OSError, msgspec.MsgspecError) as error:
        raise TrainingStopped(
            f"{folder} can't be read ({error}): delete it to go on from the best pass, or from none"
        ) from error
