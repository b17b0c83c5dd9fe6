"""The detection error trade-off: what fewer strangers with a name cost in people without.

Martin et al. 1997, The DET curve in assessment of detection task performance; axes as NIST
draws them: FNIR over FPIR, both logarithmic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facetrail.errors import BadSettings
from training.identification import Draw, rates_at

POINTS = 60
INCHES = (8.0, 5.0)
DOTS_PER_INCH = 150


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """fpir, fnir: `(n,)`, 0 to 1. group: curves of one have one colour. rank: their dash."""

    label: str
    group: str
    rank: int
    fpir: NDArray[np.float64]
    fnir: NDArray[np.float64]


def curve(label: str, group: str, rank: int, draws: Sequence[Draw], *, margin: float) -> Curve:
    """From an FPIR of one stranger to that of all."""
    strangers = len(draws[0].strangers.distance)
    wanted = np.unique(np.floor(np.geomspace(1, strangers, POINTS))) / strangers
    found = [rates_at(float(fpir), draws, margin=margin) for fpir in wanted]
    fpir, fnir = (np.array([getattr(one, name) for one in found]) for name in ("fpir", "fnir"))
    return Curve(label, group, rank, fpir, fnir)


def checked_png(path: Path) -> Path:
    """Raises BadSettings if no PNG of that name can be written; found before the work."""
    if path.suffix.lower() != ".png":
        raise BadSettings(f"{path} is not called like a PNG: name one that ends in .png")
    if not path.parent.is_dir():
        raise BadSettings(f"{path.parent} is not a folder: make it, or name another in --det")
    return path


def save(curves: Sequence[Curve], path: Path, *, title: str) -> None:
    """Draws the curves into a PNG, written aside and renamed. Raises BadSettings."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    figure = Figure(figsize=INCHES, layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log", title=title)
    groups = list(dict.fromkeys(one.group for one in curves))
    for one in curves:
        shown = (one.fnir > 0) & (one.fpir > 0)  # a logarithm has no place for none
        axes.plot(
            one.fpir[shown],
            one.fnir[shown],
            label=one.label,
            color=f"C{groups.index(one.group)}",
            linestyle=("-", "--", ":", "-.")[one.rank % 4],
        )
    axes.set_xlabel("FPIR: strangers who get a name")
    axes.set_ylabel("FNIR: enrolled people who do not get theirs")
    axes.grid(which="major", alpha=0.5)
    axes.grid(which="minor", alpha=0.15)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
        axis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    figure.legend(loc="outside right upper", frameon=False)
    aside = path.with_name(f".{path.name}")
    try:
        figure.savefig(aside, format="png", dpi=DOTS_PER_INCH)
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise BadSettings(
            f"{path} can't be written ({error.strerror}); name another file in --det"
        ) from error
