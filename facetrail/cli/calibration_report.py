"""What `facetrail calibrate` says it found."""

from __future__ import annotations

import sys

import msgspec

from facetrail.cli.json_line import print_json
from training.calibration import Finding
from training.intervals import Estimate


class InForce(msgspec.Struct, frozen=True):
    """A threshold and margin; calibrated_at: None for the encoder's own."""

    threshold: float
    margin: float
    calibrated_at: str | None = None

    def __str__(self) -> str:
        whose = f"of {self.calibrated_at}" if self.calibrated_at else "the encoder's own"
        return f"threshold {self.threshold:.4f}, margin {self.margin:.4f}, {whose}"


class Skipped(msgspec.Struct, frozen=True):
    """A stranger's photo that could not be used."""

    photo: str
    reason: str
    sentence: str


class Closest(msgspec.Struct, frozen=True):
    """The stranger, by photo or enrolled name, who is nearest to somebody enrolled."""

    stranger: str
    person: str
    distance: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What `calibrate --json` prints.

    fpir, fnir: with bounds at 95 % confidence. trials: photos of strangers, enrolled people
    among them; they come to `independent_trials`, of which `wanted_fpir` needs `needed_trials`.
    supported_fpir: the least rate they do for. known: photos with another of their person.
    """

    encoder: str
    threshold: float
    margin: float
    wanted_fpir: float
    fpir: Estimate
    fnir: Estimate | None
    people: int
    strangers: int
    trials: int
    independent_trials: float
    needed_trials: int
    supported_fpir: float
    enough: bool
    known: int
    closest: Closest
    before: InForce
    skipped: list[Skipped]
    stored: bool
    warnings: list[str]


class Reset(msgspec.Struct, frozen=True, kw_only=True):
    """What `calibrate --reset --json` prints. reset: whether there was something to remove."""

    encoder: str
    threshold: float
    margin: float
    before: InForce
    reset: bool


def warnings_of(finding: Finding, fpir: float, closest: Closest, own_threshold: float) -> list[str]:
    """What should be known before the figures are believed."""
    found = []
    if not finding.enough:
        found.append(
            f"too few strangers for an FPIR of {percent(fpir)}: it takes {finding.needed} "
            f"independent trials and these come to {finding.independent:.0f}, enough for "
            f"{percent(finding.supported)}; so the threshold is the encoder's own or lower. "
            f"Give a folder of {finding.needed} strangers, or enrol {2 * finding.needed} people"
        )
    if closest.distance < own_threshold / 2:
        found.append(
            f"{closest.stranger} is as near to {closest.person} as photos of one person are "
            f"(distance {closest.distance:.2f}): if they are the same, every figure here is wrong"
        )
    return found


def show(report: Report | Reset, *, as_json: bool) -> None:
    """Prints it on stdout; warnings and skipped photos, if not as JSON, on stderr."""
    if as_json:
        print_json(report)
    elif isinstance(report, Reset):
        done = "the encoder's own hold again" if report.reset else "the encoder's own held already"
        print(f"{done}: threshold {report.threshold:.4f}, margin {report.margin:.4f}")
    else:
        _tell_skipped(report)
        for name, words in _rows(report):
            print(f"{name:<12}{words}")
        for warning in report.warnings:
            print(f"warning: {warning}", file=sys.stderr)


def _tell_skipped(report: Report) -> None:
    if report.skipped:
        print(f"{len(report.skipped)} photos of strangers are skipped:", file=sys.stderr)
    for skipped in report.skipped:
        print(f"  {skipped.reason}: {skipped.sentence}", file=sys.stderr)


def _rows(report: Report) -> list[tuple[str, str]]:
    fnir = "not measured: nobody has a second photo"
    if report.fnir is not None:
        fnir = f"{_bounded(report.fnir)}, by {report.known} photos that have another one"
    return [
        ("encoder", report.encoder),
        ("threshold", f"{report.threshold:.4f}"),
        ("margin", f"{report.margin:.4f}"),
        ("FPIR", f"{_bounded(report.fpir)}; wanted {percent(report.wanted_fpir)}"),
        ("FNIR", fnir),
        (
            "trials",
            f"{report.trials} photos of {report.people} people enrolled and {report.strangers} "
            f"strangers; {report.independent_trials:.0f} are independent",
        ),
        (
            "closest",
            f"{report.closest.stranger} to {report.closest.person}, distance "
            f"{report.closest.distance:.4f}",
        ),
        ("before", str(report.before)),
        ("stored", "yes; every worker follows" if report.stored else "no, this was a dry run"),
    ]


def _bounded(estimate: Estimate) -> str:
    low, high = percent(estimate.low), percent(estimate.high)
    return f"{percent(estimate.rate)} (95 % sure: {low} to {high})"


def percent(rate: float) -> str:
    """Such as `0.25 %`."""
    return f"{round(100 * rate, 2 if rate >= 0.001 else 4):g} %"
