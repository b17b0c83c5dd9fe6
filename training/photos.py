"""Faces in many photos: a bar while it takes, and a word on those that have none."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import track

from facetrail.errors import BadPicture
from facetrail.settings import Settings
from ingest.faces.detect import DetectorName, in_photos, open_detector
from ingest.faces.face import Detector
from training.faces import Crop, PhotoChips, aligned, chips_of

#: Photos of a kind that are named before the rest is only counted.
NAMED = 5
Item = TypeVar("Item")


def photo_detector(settings: Settings, name: DetectorName | None = None) -> Detector:
    """The detector as photos need it: on all cores. Raises BadModelFile."""
    return open_detector(
        name or in_photos(settings.detector),
        width=settings.photo_width,
        score=settings.detection_score,
        threads=settings.threads or len(os.sched_getaffinity(0)),
        **settings.models,
    )


def find_chips(
    photos: list[Path],
    detector: Detector,
    crops: Sequence[Crop] = (aligned,),
    *,
    takes_chips: bool = False,
) -> PhotoChips:
    """`chips_of` with a bar on stderr if that is a terminal; says what could not be used."""
    found = chips_of(with_bar(photos), detector, crops, takes_chips=takes_chips)
    _tell(found.without_face, f"of {len(photos)} photos without a face")
    _tell(found.unreadable, f"of {len(photos)} photos that can't be read, skipped")
    return found


def with_bar(items: Sequence[Item], words: str = "Finding faces") -> Iterable[Item]:
    """On a terminal with a bar on stderr, which is gone in the end."""
    console = Console(stderr=True)
    off = not console.is_terminal or len(items) < 2
    return track(items, words, console=console, transient=True, disable=off)


def _tell(refused: list[BadPicture], words: str) -> None:
    if not refused:
        return
    print(f"{len(refused)} {words}:", file=sys.stderr)
    for error in refused[:NAMED]:
        print(f"  {error}", file=sys.stderr)
    if len(refused) > NAMED:
        print(f"  and {len(refused) - NAMED} more", file=sys.stderr)
