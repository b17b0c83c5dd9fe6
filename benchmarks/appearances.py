"""Who is seen where in the clips: appearances.json, and the frames they belong to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from ingest.faces.face import Picture
from ingest.reading.cut import CutFinder
from ingest.sample import Sampler

#: For each clip and appearance its spans, each of frame, x, y, width and height in pixels, a
#: few frames apart. Made from what both detectors found in every frame, joined by eye.
TRUTH = Path(__file__).with_suffix(".json")

Box = tuple[float, float, float, float]
Span = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A frame that is looked at. truth: the box of everyone seen. cut: the scene is another."""

    seconds: float
    picture: Picture
    truth: Mapping[str, Box]
    cut: bool


def clips() -> list[str]:
    return sorted(json.loads(TRUTH.read_text()))


def shown(videos: Path, clip: str, fps: float) -> Iterator[Shown]:
    """The frames of a clip that a camera at that rate would look at."""
    people = json.loads(TRUTH.read_text())[clip]
    sampler, cuts, cut = Sampler(fps), CutFinder(), False
    with av.open(videos / clip) as file:
        for number, frame in enumerate(file.decode(video=0)):
            cut = cuts.is_cut(frame) or cut
            if sampler.wants(float(frame.time or 0.0)):
                truth = {name: box for name in people if (box := _at(people[name], number))}
                picture = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
                yield Shown(float(frame.time or 0.0), picture, truth, cut)
                cut = False


def corners(boxes: Sequence[Box]) -> NDArray[np.float64]:
    """`(n, 4)`: left, top, right, bottom."""
    rows = np.array(boxes, np.float64).reshape(-1, 4)
    return np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:]], axis=1)


def _at(spans: Sequence[Span], frame: int) -> Box | None:
    """The box in that frame, between those before and after it; None where nobody is."""
    for span in spans:
        rows = np.array(span, np.float64)
        if rows[0, 0] <= frame <= rows[-1, 0]:
            x, y, width, height = (
                float(np.interp(frame, rows[:, 0], rows[:, i])) for i in range(1, 5)
            )
            return x, y, width, height
    return None
