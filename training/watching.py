"""What happens around the passes of a training: judged, kept, shown, and ended in time."""

from __future__ import annotations

import math
import time

import keras
import numpy as np
import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from facetrail.errors import TrainingStopped
from training.checkpoint import Checkpoints, Pass, State
from training.curves import draw
from training.held_out import HeldOut

log = structlog.get_logger(__name__)


class Watching(keras.callbacks.Callback):  # type: ignore[misc]
    """Verifies on the people held out after each pass, and keeps a checkpoint.

    state: of the passes already made. patience: passes without a better one until the end.
    stop_after: the last pass to make, though the plan has more.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        held_out: HeldOut | None,
        state: State,
        *,
        patience: int,
        stop_after: int | None,
    ) -> None:
        super().__init__()
        self.checkpoints = checkpoints
        self.held_out = held_out
        self.state = state
        self.patience = patience
        self.stop_after = stop_after
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self._began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Raises TrainingStopped for a loss that is no number."""
        if logs and not math.isfinite(logs["loss"]):
            raise TrainingStopped(
                f"the loss is {logs['loss']} at batch {batch + 1} of pass "
                f"{len(self.state.passes) + 1}: {self._begin_anew}"
            )

    @property
    def _begin_anew(self) -> str:
        kept = f"; the last good checkpoint stays in {self.checkpoints.run}"
        return "begin anew with a lower --rate and another --run" + kept * bool(self.state.passes)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Raises TrainingStopped if the checkpoint can't be written, or is not worth it."""
        logs = logs or {}
        if not all(np.isfinite(weight).all() for weight in self.model.get_weights()):
            raise TrainingStopped(
                f"after pass {len(self.state.passes) + 1} some weights are no numbers: "
                f"{self._begin_anew}"
            )
        found = self.held_out.verify(self.model) if self.held_out else None
        if found is not None:  # so that TensorBoard shows them
            logs["held_out_accuracy"], logs["held_out_auc"] = found.accuracy, found.auc
        made = Pass(
            number=epoch + 1,
            loss=float(logs["loss"]),
            accuracy=found.accuracy if found else None,
            auc=found.auc if found else None,
            threshold=found.threshold if found else None,
            seconds=round(time.monotonic() - self._began, 1),
        )
        self.state = State(self.state.plan, [*self.state.passes, made])
        self.checkpoints.save(self.model, self.state)
        draw(self.state.passes, self.checkpoints.run / "curves.png")
        log.info("pass", **{k: v for k, v in _shown(made).items() if v is not None})
        self.model.stop_training = self.done

    @property
    def done(self) -> bool:
        """Whether no more passes are wanted, though the plan may have some."""
        made, best = len(self.state.passes), self.state.best
        if best is not None and made - best.number >= self.patience:
            log.info("no better pass for a while, so training ends", best=best.number)
            return True
        return self.stop_after is not None and made >= self.stop_after


def _shown(made: Pass) -> dict[str, object]:
    return {
        "number": made.number,
        "loss": round(made.loss, 4),
        "accuracy": round(made.accuracy, 4) if made.accuracy is not None else None,
        "auc": round(made.auc, 4) if made.auc is not None else None,
        "seconds": made.seconds,
    }


class ProgressBar(keras.callbacks.Callback):  # type: ignore[misc]
    """On a terminal, a bar on stderr for the pass under way."""

    def __init__(self) -> None:
        super().__init__()
        self._console = Console(stderr=True)
        self._bar: Progress | None = None

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self._bar = Progress(
            TextColumn("pass {task.fields[number]}"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]:.4f}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._bar.start()
        self._task = self._bar.add_task(
            "pass", total=self.params["steps"], number=epoch + 1, loss=math.nan
        )

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self._bar is not None and logs:
            self._bar.update(self._task, completed=batch + 1, loss=logs["loss"])

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        self.close()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
