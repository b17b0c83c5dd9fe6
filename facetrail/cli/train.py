"""`facetrail train`: an encoder of one's own, from photos."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from facetrail.cli.target import check_writable, unwritable
from facetrail.errors import BadSettings
from facetrail.settings import Settings
from index.photos.portrait import folders_of
from ingest.faces.detect import in_photos
from training.lfw import in_folds, people_of, read_pairs
from training.people import spelled
from training.photos import photo_detector
from training.plan import Plan
from training.prepare import gathered, prepared
from workers.encoders.own import check_name

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
        """Raises BadSettings for a pairs file that can't be read, or a fold it does not have.

        Also for names that no folder has: who is meant would be trained on.
        """
        folders = [*self.people, *self.unnamed]
        known = {spelled(person.name) for folder in folders for person in folders_of(folder)}
        for name in self.left_out:
            if spelled(name) not in known:
                raise BadSettings(
                    f"--leave-out {name}: nobody's folder is called so; name one as it is spelled"
                )
        if self.pairs is None:
            return set(self.left_out)
        pairs = read_pairs(self.pairs, Path())
        in_pairs = people_of(in_folds(pairs, self.folds) if self.folds else pairs)
        if known.isdisjoint(map(spelled, in_pairs)):
            raise BadSettings(
                f"--leave-out-pairs {self.pairs}: nobody in it has a folder; name the pairs file "
                "of these photos"
            )
        return in_pairs.union(self.left_out)


def check_target(to: Path) -> None:
    """Raises BadSettings where no encoder could be written, or none that could be used."""
    if to.suffix != ".keras":
        raise BadSettings(f"{to} is no name for an encoder: end it in .keras")
    check_name(to)
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(to, error) from error
    check_writable(to)


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
    check_target(to)
    detector = in_photos(settings.detector)
    photos = gathered(
        sources.people,
        sources.unnamed,
        sources.names_left_out(),
        detection=f"{detector} {settings.photo_width} {settings.detection_score}",
    )
    log.info("photos found", people=len(photos.people), unnamed=len(photos.unnamed))
    data = prepared(photos, photo_detector(settings), folder / "chips.npz")

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported
    from training.train import check, export, train
    from workers.encoders.choice import opened_encoder

    check(data, teacher is not None)
    opened = opened_encoder(teacher, settings) if teacher is not None else None
    state = train(data, plan, folder, inputs=photos.digest, teacher=opened, stop_after=stop_after)
    export(state, folder, to, half=half)
    best = state.best
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode({"file": str(to), "best": best}) + b"\n")
        return
    print(f"{to}: the encoder after pass {best.number if best else 0}; curves in {folder}")
