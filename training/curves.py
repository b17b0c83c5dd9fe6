"""The curves of a training as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training.aside import written_aside
from training.checkpoint import Pass


def draw(passes: Sequence[Pass], path: Path) -> None:
    """Loss, and accuracy on the people held out, over the passes, as PNG.

    Raises TrainingStopped if it can't be written.
    """
    from matplotlib.figure import Figure

    numbers = [one.number for one in passes]
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(numbers, [one.loss for one in passes], marker=".")
    left.set(xlabel="pass", ylabel="loss", title="Training")
    held_out = [(one.number, 100 * one.accuracy) for one in passes if one.accuracy is not None]
    if held_out:
        right.plot(*zip(*held_out, strict=True), marker=".", color="tab:orange")
    right.set(xlabel="pass", ylabel="accuracy, %", title="Verification of people held out")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    with written_aside(path) as aside:
        figure.savefig(aside, format="png", dpi=120)
