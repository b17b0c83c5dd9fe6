"""What each detector finds, how good its landmarks are, and what it costs on one core.

    python -m benchmarks.detectors --faces FACES --videos VIDEOS

FACES and VIDEOS are the folders of test data, as their READMEs describe them. In clips with
faces: the share of those in appearances.json that is found, and how many others a frame are;
where nobody is, only these. The cost is processor time of detection, one thread, in a frame of
16:9 that has been scaled down already.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median

import av
import cv2
import numpy as np
from trackers.eval import box_iou

from benchmarks.appearances import Shown, clips, corners, shown
from facetrail import log
from facetrail.settings import Settings, read_settings
from ingest.faces.detect import DetectorName, open_detector
from ingest.faces.face import Detector, Picture
from ingest.faces.network import Precision
from training.candidates import open_candidate
from training.faces import central_face, chips_of, encoded, read_photo
from training.lfw import Verification, in_folds, photos_of, read_pairs, verify

WIDTHS = (320, 480, 640, 960, 1280)
KINDS: tuple[tuple[DetectorName, Precision], ...] = (
    ("centerface", "f32"),
    ("centerface", "bf16"),
    ("yunet", "f32"),
    ("yunet", "bf16"),
)
SCORE = 0.5
#: Of the faces already cut out one in so many is looked at; of a clip so many frames a second.
ONE_IN = 10
FPS = 5.0
ROUNDS = 15
#: A detection is of a face where they share this much (intersection over union).
SAME = 0.3
STREET = "five_faces_1080p.mp4"
WITHOUT = ("one_by_one_432p.mp4", "street_no_faces.h265")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a detector sees of a clip. share: of the faces there are. strays: others, a frame."""

    share: float
    strays: float

    def __str__(self) -> str:
        return f"{self.share:.0%}, {self.strays:.2f}"


def seen(frames: list[Shown], detector: Detector) -> Seen:
    found = faces = strays = 0
    for frame in frames:
        where = corners(list(frame.truth.values()))
        boxes = corners([face.box for face in detector.detect(frame.picture)])
        same = np.asarray(box_iou(where, boxes)) >= SAME
        found, faces = found + int(same.any(axis=1).sum()), faces + len(where)
        strays += int((~same.any(axis=0)).sum())
    return Seen(found / faces if faces else 0.0, strays / len(frames))


def frames_of(videos: Path, clip: str) -> list[Shown]:
    """Frames of a clip without faces, one a second."""
    found = []
    with av.open(videos / clip) as file:
        stream = file.streams.video[0]
        step = max(1, round(float(stream.average_rate or 25)))
        for frame in islice(file.decode(stream), 0, None, step):
            picture = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            found.append(Shown(0.0, picture, {}, cut=False))
    return found


def share_with_a_face(photos: list[Path], detector: Detector) -> float:
    return sum(central_face(read_photo(one), detector) is not None for one in photos) / len(photos)


def milliseconds(detector: Detector, frame: Picture, width: int) -> float:
    """Of processor time, the median of some rounds, on a frame scaled down to the width."""
    size = (width, round(width * 9 / 16))
    small = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
    detector.detect(small)
    return median(_processor_ms(partial(detector.detect, small)) for _ in range(ROUNDS))


def _processor_ms(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return 1000 * (time.process_time() - began)


def on_landmarks_of(detector: Detector, encoder: str, given: argparse.Namespace) -> Verification:
    """LFW's figures of an encoder, with chips by the detector's landmarks."""
    folder = given.faces / "lfw"
    pairs = in_folds(read_pairs(folder / "pairs.txt", folder / "images"), set(given.folds))
    chips = chips_of(photos_of(pairs), detector)
    rows = encoded(chips.chips, open_candidate(encoder, read_settings()).encoder)
    return verify(pairs, dict(zip(chips.paths, rows, strict=True)))


def lines_of_landmarks(settings: Settings, given: argparse.Namespace) -> Iterator[str]:
    yield f"| detector | faces found | `{given.encoder}` on LFW | TAR at FAR 1e-2 | at 1e-3 |"
    yield "|---|" + "---|" * 4
    celebs = sorted((given.faces / "celebs").glob("*/*.jpg"))[::ONE_IN]
    for name, precision in KINDS:
        detector = open_detector(name, score=SCORE, precision=precision, **settings.models)
        own = on_landmarks_of(detector, given.encoder, given)
        share = share_with_a_face(celebs, detector)
        yield (
            f"| {name}, {precision} | {1 - own.undecided / own.pairs:.2%} of LFW's pairs, "
            f"{share:.1%} of the cut out | {own.accuracy:.2%} ± {100 * own.deviation:.2f} | "
            f"{own.tar[1e-2]:.2%} | {own.tar[1e-3]:.2%} |"
        )


def lines_of_clips(settings: Settings, given: argparse.Namespace) -> Iterator[str]:
    frames = {clip: list(shown(given.videos, clip, FPS)) for clip in clips()}
    empty = {clip: frames_of(given.videos, clip) for clip in WITHOUT}
    yield "| detector | width | ms | " + " | ".join([*frames, *empty]) + " |"
    yield "|---|" + "---|" * (2 + len(frames) + len(empty))
    for name, precision in KINDS:
        for width in WIDTHS:
            detector = open_detector(
                name, width=width, score=SCORE, precision=precision, **settings.models
            )
            cost = milliseconds(detector, frames[STREET][0].picture, width)
            cells = [str(seen(own, detector)) for own in frames.values()]
            cells += [f"{seen(own, detector).strays:.2f}" for own in empty.values()]
            yield f"| {name}, {precision} | {width} | {cost:.1f} | " + " | ".join(cells) + " |"


def main() -> None:
    made = argparse.ArgumentParser(description="What each detector finds, and what it costs.")
    made.add_argument("--faces", type=Path, required=True, help="holds lfw and celebs")
    made.add_argument("--videos", type=Path, required=True)
    made.add_argument("--encoder", default="retail0095")
    made.add_argument("--folds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    settings = read_settings()
    log.configure(level="warning")
    cv2.setNumThreads(1)
    given = made.parse_args()
    for lines in (lines_of_clips, lines_of_landmarks):
        for line in lines(settings, given):
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
