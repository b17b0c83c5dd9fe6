"""`facetrail train`: an encoder of one's own, from photos."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from facetrail.errors import BadSettings
from facetrail.settings import Settings
from ingest.faces.detect import open_detector
from training.lfw import in_folds, read_pairs
from training.plan import Plan
from training.prepare import gathered, prepared

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the photos are, and whose are not used.

    people, unnamed: folders. left_out: names. pairs, folds: whose people are left out too.
    """

    people: list[Path]
    unnamed: list[Path]
    left_out: list[str]
    pairs: Path | None
    folds: set[int]

    def names_left_out(self) -> set[str]:
        """Raises BadSettings for a pairs file that can't be read, or a fold it does not have."""
        names = set(self.left_out)
        if self.pairs is not None:
            pairs = read_pairs(self.pairs, Path())
            for pair in in_folds(pairs, self.folds) if self.folds else pairs:
                names |= {pair.first.parent.name, pair.second.parent.name}
        return names


def run(
    settings: Settings,
    sources: Sources,
    plan: Plan,
    *,
    teacher: str | None,
    to: Path,
    folder: Path,
    half: bool,
    stop_after: int | None,
    as_json: bool,
) -> None:
    """Raises BadSettings, BadModelFile, EncoderMismatch, TrainingStopped."""
    if to.suffix != ".keras":
        raise BadSettings(f"{to} is no name for an encoder: end it in .keras")
    photos = gathered(sources.people, sources.unnamed, sources.names_left_out())
    log.info("photos found", people=len(photos.people), unnamed=len(photos.unnamed))
    detector = open_detector(
        settings.detector,
        width=settings.photo_width,
        score=settings.detection_score,
        threads=settings.threads or len(os.sched_getaffinity(0)),
        **settings.models,
    )
    data = prepared(photos, detector, folder / "chips.npz")

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported
    from training.train import check, export, train
    from workers.encoders.registry import open_encoder

    check(data, teacher is not None)
    opened = None
    if teacher is not None:
        opened = open_encoder(
            teacher,
            device=settings.encoder_device,
            precision=settings.encoder_precision,
            threads=settings.threads,
            **settings.models,
        )
    state = train(data, plan, folder, inputs=photos.digest, teacher=opened, stop_after=stop_after)
    export(state, folder, to, half=half)
    best = state.best
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode({"file": str(to), "best": best}) + b"\n")
        return
    print(f"{to}: the encoder after pass {best.number if best else 0}; curves in {folder}")
