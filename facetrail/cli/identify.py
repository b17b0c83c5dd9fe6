"""`facetrail identify`: who of the enrolled is in a photo?"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from facetrail.cli.draw import Kind, Mark, with_marks
from facetrail.cli.json_line import json_line
from facetrail.cli.people import open_gallery
from facetrail.cli.picture_file import check_target, save
from facetrail.errors import GalleryError
from facetrail.events import Person
from facetrail.settings import Settings
from facetrail.store import answered
from facetrail.wire import Encoder, Encodings
from index.calibration import Calibration
from index.face_index import Candidate
from index.gallery import Gallery
from index.photos.portrait import decoded, no_face, read
from index.replica import Replica
from index.rows import NOBODY
from index.shown import shown
from index.view import View
from ingest.faces.align import align
from ingest.faces.face import Face, Picture
from training.photos import photo_detector
from workers.encoders.choice import chosen_encoder
from workers.recognise import Judgement, hides, judge, possible

#: A face that was not looked up has one of the reasons for which a photo is not enrolled.
Verdict = Literal["named", "unknown", "too_small", "no_face"]
KINDS: dict[Verdict, Kind] = {
    "named": "named",
    "unknown": "unknown",
    "too_small": "unjudged",
    "no_face": "unjudged",
}


class Near(msgspec.Struct, frozen=True):
    """Somebody enrolled and how far the face is from their nearest photo."""

    id: str
    name: str
    external_id: str | None
    distance: float


@dataclass(frozen=True, slots=True)
class Found:
    """What the gallery says of a face; nothing where it was not asked."""

    verdict: Verdict
    nearest: Near | None = None
    runner_up: Near | None = None
    margin: float | None = None
    ruled_out: bool = False


class Identification(msgspec.Struct, frozen=True, kw_only=True):
    """One face, as `identify --json` prints it.

    box: x, y, width, height in pixels of the photo. verdict: too_small, and no_face, whose points
    can't be aligned, were not looked up. nearest: the person named, or who comes nearest, of those
    who are enrolled still; None without anybody. margin: how much farther the runner-up is, of
    which `margin_wanted` is needed. ruled_out: the nearest can't be meant: it is not their time,
    or the face is known not to be theirs. Distances are Euclidean, of unit encodings, 0 to 2.
    """

    photo: str
    face: int
    box: tuple[float, ...]
    verdict: Verdict
    nearest: Near | None
    runner_up: Near | None
    margin: float | None
    threshold: float
    margin_wanted: float
    ruled_out: bool
    encoder: str
    index_position: str

    def who(self) -> str:
        if self.verdict in ("too_small", "no_face"):
            return self.verdict.replace("_", " ")
        return self.nearest.name if self.nearest and self.verdict == "named" else "unknown"

    def why(self) -> str:
        """The numbers that decided."""
        if self.verdict == "too_small":
            return f"{self.box[3]:.0f} pixels high"
        if self.verdict == "no_face":
            return "its points can't be aligned"
        if self.nearest is None:
            return "nobody is enrolled any more"
        sign = "≤" if self.nearest.distance <= self.threshold else ">"
        words = f"{self.nearest.distance:.3f} {sign} {self.threshold:.3f}"
        if self.margin is not None and self.margin < self.margin_wanted and sign == "≤":
            words += f", margin {self.margin:.3f} < {self.margin_wanted:.3f}"
        return words + (", but ruled out" if self.ruled_out and sign == "≤" else "")

    def line(self) -> str:
        x, y, width, height = self.box
        line = f"face {self.face} at {x:.0f},{y:.0f} {width:.0f}x{height:.0f}: {self.who()}"
        if self.nearest is None:
            return f"{line}, {self.why()}"
        nearest = "" if self.verdict == "named" else f"nearest {self.nearest.name}, "
        line += f"; {nearest}distance {self.why()}"
        if self.runner_up is not None:
            line += f"; next {self.runner_up.name} at {self.runner_up.distance:.3f}"
        return line


def run(settings: Settings, path: Path, *, save_to: Path | None, as_json: bool) -> None:
    """Prints each face of a photo, from left to right.

    Raises BadPicture, GalleryError, BadModelFile, BadSettings, RedisAway.
    """
    if save_to is not None:
        check_target(save_to)
    picture = decoded(path, read(path))
    gallery = open_gallery(settings)
    with answered(gallery.client):
        view, encoder = _opened(gallery, settings)
        faces = sorted(photo_detector(settings).detect(picture), key=lambda face: face.box[0])
        if not faces:
            raise no_face(path)
        identified = _identified(path, picture, faces, view, encoder, settings.photo_min_face)
    if save_to is not None:
        marks = [_mark(face, one) for face, one in zip(faces, identified, strict=True)]
        save(with_marks(picture, marks), save_to)
    for one in identified:
        line = json_line(one) if as_json else one.line()
        sys.stdout.write(line + "\n")


def _opened(gallery: Gallery, settings: Settings) -> tuple[View, Encoder]:
    """The gallery as a worker would search it now, and its encoder."""
    own = gallery.encoder
    if own is None:
        raise GalleryError("nobody is enrolled: `facetrail enroll` does it from photos")
    encoder = chosen_encoder(own, settings)
    return _view(gallery, encoder), encoder


def _view(gallery: Gallery, encoder: Encoder) -> View:
    replica = Replica(gallery.client, gallery.keys, worker=None, encoder=encoder.id)
    replica.load()
    return replica.view


def _identified(
    path: Path, picture: Picture, faces: Sequence[Face], view: View, encoder: Encoder, least: int
) -> list[Identification]:
    rule = view.calibration or encoder
    made = []
    for number, face in enumerate(faces, 1):
        found = _found(picture, face, view, encoder, least)
        made.append(
            Identification(
                photo=shown(path),
                face=number,
                box=face.box,
                verdict=found.verdict,
                nearest=found.nearest,
                runner_up=found.runner_up,
                margin=found.margin,
                threshold=rule.threshold,
                margin_wanted=rule.margin,
                ruled_out=found.ruled_out,
                encoder=encoder.id,
                index_position=view.position,
            )
        )
    return made


def _found(picture: Picture, face: Face, view: View, encoder: Encoder, least: int) -> Found:
    if face.height < least:
        return Found("too_small")
    chip = align(picture, face.landmarks)
    if chip is None:
        return Found("no_face")
    encoding = np.asarray(encoder.encode(chip[None])[0], np.float32)
    judged, ruled_out, people = _judged(view, view.calibration or encoder, encoding)
    return Found(
        "named" if judged.person and not ruled_out else "unknown",
        _near(judged.nearest, people),
        _near(judged.runner_up, people),
        judged.margin,
        ruled_out,
    )


def _judged(
    view: View, rule: Encoder | Calibration, encoding: Encodings
) -> tuple[Judgement, bool, dict[str, Person]]:
    """As workers judge; whether the nearest can't be meant, where nobody else is; who they are."""
    index, now = view.index, time.time_ns()

    def is_out(candidate: Candidate) -> bool:
        return view.rules_out(candidate, encoding, now)

    while True:
        (nearest,) = index.search(encoding[None], within=rule.threshold)
        judged = judge(nearest, 1.0, threshold=rule.threshold, margin=rule.margin)
        if hides(judged, rule.threshold, is_out):
            others = possible(index, encoding, rule.threshold + rule.margin, is_out)
            again = judge(others, 1.0, threshold=rule.threshold, margin=rule.margin)
            judged = again if again.person is not None else judged
        named = [one.person for one in (judged.nearest, judged.runner_up) if one is not None]
        people = view.people.those(named)
        gone = [person for person in named if person not in people]
        if not gone:
            return judged, judged.nearest is not None and is_out(judged.nearest), people
        # Removed since the view was made.
        index = index.changed(dict.fromkeys(gone, NOBODY))


def _near(candidate: Candidate | None, people: Mapping[str, Person]) -> Near | None:
    if candidate is None:
        return None
    person = people[candidate.person]
    return Near(person.id, person.name, person.external_id, candidate.distance)


def _mark(face: Face, one: Identification) -> Mark:
    return Mark(face, [one.who(), one.why()], KINDS[one.verdict])
