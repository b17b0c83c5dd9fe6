"""How well faces are tracked: switches, breaks, IDF1 and HOTA, on clips and made crossings.

    python -m benchmarks.tracks --faces FACES --videos VIDEOS

IDF1 (Ristani et al. 2016, arXiv:1609.01775) and HOTA (Luiten et al. 2020, arXiv:2009.07736)
are those of `trackers.eval`, which gives TrackEval's figures. Whatever is wrong counts: a face
not found, one found where none is, a frame before a track has its number, a number changed.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from trackers import eval as figures

from benchmarks.appearances import Shown, clips, corners, shown
from benchmarks.crossings import crossings, heads
from facetrail import log
from facetrail.settings import read_settings
from ingest.faces.detect import ENTRIES, at_cameras, open_detector
from ingest.faces.face import Detector
from ingest.looking.detectors import weakest
from ingest.looking.second_opinion import SIDE, SecondOpinion
from ingest.track import Tracker

#: A track's face and an appearance are one where they share this much (intersection over union).
SAME = 0.5
PHOTOS = 24


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One frame: the numbers and boxes `(n, 4)`, as corners, of appearances and of tracks."""

    people: NDArray[np.int_]
    where: NDArray[np.float64]
    tracks: NDArray[np.int_]
    found: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of a sequence.

    tracks: of its appearances. most: of one of them. strays: of nobody.
    """

    name: str
    people: int
    tracks: int
    most: int
    strays: int
    switches: int
    breaks: int
    idf1: float
    hota: float

    def __str__(self) -> str:
        return (
            f"| {self.name} | {self.people} | {self.tracks} | {self.most} | {self.strays} | "
            f"{self.switches} | {self.breaks} | {self.idf1:.3f} | {self.hota:.3f} |"
        )


HEAD = (
    "| sequence | appearances | tracks of them | of one at most | of nobody | switches | breaks | "
    "IDF1 | HOTA |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def steps(
    frames: Iterable[Shown],
    detector: Detector,
    tracker: Tracker,
    opinion: SecondOpinion | None = None,
) -> list[Step]:
    """What the tracker says of each frame, beside the truth."""
    names: dict[str, int] = {}
    found = []
    for frame in frames:
        if frame.cut:
            tracker.end_all()
        seen = [
            (track, face)
            for track, face in tracker.update(detector.detect(frame.picture), frame.seconds).faces
            if opinion is None or opinion.agrees(track, face, frame.picture, frame.seconds)
        ]
        found.append(
            Step(
                np.array([names.setdefault(name, len(names)) for name in frame.truth], np.int_),
                corners(list(frame.truth.values())),
                np.array([track for track, _ in seen], np.int_),
                corners([face.box for _, face in seen]),
            )
        )
    return found


def row(name: str, steps: list[Step]) -> Row:
    people, tracks = [step.people for step in steps], [step.tracks for step in steps]
    shares = [figures.box_iou(step.where, step.found) for step in steps]
    clear = figures.compute_clear_metrics(people, tracks, shares, threshold=SAME)
    identity = figures.compute_identity_metrics(people, tracks, shares, threshold=SAME)
    hota = figures.compute_hota_metrics(people, tracks, shares)
    own = _tracks_of(steps, shares)
    used = {track for tracks in own.values() for track in tracks}
    every = {int(track) for step in steps for track in step.tracks}
    return Row(
        name=name,
        people=len({int(one) for step in steps for one in step.people}),
        tracks=sum(map(len, own.values())),
        most=max(map(len, own.values()), default=0),
        strays=len(every - used),
        switches=int(clear["IDSW"]),
        breaks=int(clear["Frag"]),
        idf1=float(identity["IDF1"]),
        hota=float(hota["HOTA"]),
    )


def _tracks_of(steps: list[Step], shares: list[NDArray[np.float64]]) -> dict[int, set[int]]:
    """The tracks that each appearance had."""
    found: dict[int, set[int]] = defaultdict(set)
    for step, share in zip(steps, shares, strict=True):
        for person, track in zip(*np.nonzero(share >= SAME), strict=True):
            found[int(step.people[person])].add(int(step.tracks[track]))
    return found


def main() -> None:
    made = argparse.ArgumentParser(description="How well faces are tracked.")
    made.add_argument("--faces", type=Path, required=True, help="holds lfw")
    made.add_argument("--videos", type=Path, required=True)
    made.add_argument("--fps", type=float, default=5.0)
    made.add_argument("--precision", choices=["auto", "f32", "bf16"], default="f32")
    made.add_argument("--detector", choices=[entry.name for entry in ENTRIES], default=None)
    settings = read_settings()
    log.configure(level="warning")
    cv2.setNumThreads(1)
    given = made.parse_args()
    name = given.detector or at_cameras(settings.detector, **settings.models)
    least = settings.detection_score
    how = {"precision": given.precision, **settings.models}
    detector = open_detector(name, score=weakest(name, least), **how)
    sequences = [(clip, list(shown(given.videos, clip, given.fps))) for clip in clips()]
    photos = sorted((given.faces / "lfw" / "images").glob("A*/*_0001.jpg"))[:PHOTOS]
    sequences += crossings(heads(photos, detector), given.fps)
    second = open_detector("centerface", width=SIDE, score=least, **how)
    print(HEAD)
    for title, frames in sequences:
        tracker = Tracker(fps=given.fps, least_score=least)
        opinion = SecondOpinion(second) if name == "yunet" else None
        print(row(title, steps(frames, detector, tracker, opinion)), flush=True)


if __name__ == "__main__":
    main()
