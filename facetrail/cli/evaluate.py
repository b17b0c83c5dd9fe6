"""`facetrail evaluate`: what an encoder is worth, on photos of your own or of a benchmark."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from facetrail.cli.command import Json, settings_of_this_command

evaluate = typer.Typer(
    help="What an encoder is worth, 1:1 and 1:N.",
    epilog="Example: facetrail evaluate lfw --images lfw --pairs pairs.txt",
    no_args_is_help=True,
)

Encoders = Annotated[
    list[str] | None,
    typer.Option(
        "--encoder",
        metavar="NAME",
        help="An encoder, or `pixels`; may be said again. Else all on this machine, and pixels.",
    ),
]
Mirrored = Annotated[
    bool, typer.Option("--mirrored", help="Each encoder also with the mirrored chip averaged in.")
]


class DetectorChoice(StrEnum):
    """What `--detector` takes."""

    centerface = "centerface"
    yunet = "yunet"


def folds_said(text: str) -> set[int]:
    """Folds from `5`, `1-5` or `1,3`. Raises BadParameter."""
    folds: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*([1-9]\d{0,3})\s*(?:-\s*([1-9]\d{0,3})\s*)?", part, re.ASCII)
        if match is None:
            raise typer.BadParameter(f"{text!r} names no folds; say 5, 1-5 or 1,3")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise typer.BadParameter(f"{text!r} runs backwards; say {last}-{first}")
        folds.update(range(first, last + 1))
    return folds


def counts_said(text: str) -> list[int]:
    """Numbers of photos from `1,5`. Raises BadParameter."""
    if not re.fullmatch(r"[1-9]\d{0,3}(,[1-9]\d{0,3})*", text, re.ASCII):
        raise typer.BadParameter(f"{text!r} names no numbers of photos; say 1 or 1,5")
    return sorted({int(count) for count in text.split(",")})


@evaluate.command(
    "lfw",
    epilog="Examples: facetrail evaluate lfw --images lfw --pairs pairs.txt, "
    "facetrail evaluate lfw --images lfw --pairs pairs.txt --encoder retail0095 --json",
)
def lfw(
    images: Annotated[Path, typer.Option(help="A folder with a folder of photos per person.")],
    pairs: Annotated[Path, typer.Option(help="A pairs file like LFW's pairs.txt.")],
    encoder: Encoders = None,
    folds: Annotated[
        str | None, typer.Option(metavar="FOLDS", help="Such as 5, 1-5 or 1,3. Else all.")
    ] = None,
    detector: Annotated[
        DetectorChoice | None, typer.Option(help="Finds the faces. Else as the settings say.")
    ] = None,
    mirrored: Mirrored = False,
    unaligned: Annotated[
        bool, typer.Option("--unaligned", help="Each also on plain boxes, without alignment.")
    ] = False,
    json: Json = False,
) -> None:
    """Verification, 1:1: accuracy, AUC, EER and TAR on pairs of photos, by LFW's protocol."""
    from facetrail.cli.evaluate_lfw import run

    run(
        settings_of_this_command(),
        images,
        pairs,
        encoders=encoder or [],
        folds=folds_said(folds) if folds else None,
        detector=detector.value if detector else None,
        mirrored=mirrored,
        with_unaligned=unaligned,
        as_json=json,
    )


@evaluate.command(
    "identification",
    epilog="Examples: facetrail evaluate identification --people people --strangers lfw, "
    "facetrail evaluate identification --people people --strangers lfw --det det.png",
)
def identification(
    people: Annotated[Path, typer.Option(help="A folder of photos or 112x112 chips per person.")],
    strangers: Annotated[
        Path, typer.Option(help="Photos of others, in one folder or one per person.")
    ],
    strangers_pairs: Annotated[
        Path | None, typer.Option(help="Of the strangers, only photos in this pairs file.")
    ] = None,
    photos: Annotated[
        str, typer.Option(metavar="N,N…", help="Photos enrolled of each person.")
    ] = "1,5",
    draws: Annotated[int, typer.Option(min=1, max=1000, help="Random choices of those.")] = 20,
    margin: Annotated[
        float, typer.Option(min=0, max=2, help="Least lead over the runner-up, a distance.")
    ] = 0.0,
    encoder: Encoders = None,
    mirrored: Mirrored = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the random choices.")] = 0,
    det: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw the DET curves into this.")
    ] = None,
    json: Json = False,
) -> None:
    """Open-set identification, 1:N: FNIR at an FPIR of 0.3, 1 and 10 %."""
    from facetrail.cli.evaluate_identification import run
    from training.open_set import OpenSetProtocol

    protocol = OpenSetProtocol(counts_said(photos), draws=draws, seed=seed, margin=margin)
    run(
        settings_of_this_command(),
        people,
        strangers,
        strangers_pairs=strangers_pairs,
        protocol=protocol,
        encoders=encoder or [],
        mirrored=mirrored,
        det=det,
        as_json=json,
    )
