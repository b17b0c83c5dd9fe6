"""Encodings of chips and an index become judgements: no Celery, no Redis and no clock here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import simplejpeg

from facetrail.errors import BadPicture
from facetrail.wire import CHIP_SHAPE, Chips, Encodings, FaceChip
from index.face_index import Candidate, FaceIndex

#: Whether a face seen at a time, in nanoseconds UTC, can't be the person it is nearest to.
RulesOut = Callable[[Candidate, Encodings, int], bool]

#: What a chip that names nobody weighs beside one that does, at the same quality: a face turned
#: away often misses, and must not outvote the same face seen well.
MISS = 0.5
#: People looked at where the nearest can't be meant; then so many times more, while that tells
#: nothing.
FIRST, GROWS = 32, 8


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one chip says.

    person: the id, or None for a tie or a miss. nearest, runner_up: None where the gallery has
    none, or none near who may be meant. margin: by how much the nearest leads. weight: what it
    counts in the vote of its track. encoding: float32 `(128,)`, of the chip.
    """

    person: str | None
    nearest: Candidate | None
    runner_up: Candidate | None
    margin: float | None
    weight: float
    encoding: Encodings | None = field(default=None, compare=False)


def recognise(
    chips: Sequence[FaceChip],
    encodings: Encodings,
    index: FaceIndex,
    *,
    threshold: float,
    margin: float,
    rules_out: RulesOut = lambda candidate, encoding, at: False,
) -> list[Judgement]:
    """Who each chip shows. encodings: theirs, float32 `(n, 128)`, rows of length 1."""
    candidates = index.search(encodings, within=threshold)
    return [
        _judged(chip, encoding, found, index, threshold, margin, rules_out)
        for chip, encoding, found in zip(chips, encodings, candidates, strict=True)
    ]


def _judged(
    chip: FaceChip,
    encoding: Encodings,
    found: Sequence[Candidate],
    index: FaceIndex,
    threshold: float,
    margin: float,
    rules_out: RulesOut,
) -> Judgement:
    def is_out(candidate: Candidate) -> bool:
        return rules_out(candidate, encoding, chip.captured_at)

    quality = chip.quality.score
    one = judge(found, quality, threshold=threshold, margin=margin)
    if hides(one, threshold, is_out):
        found = possible(index, encoding, threshold + margin, is_out)
        one = judge(found, quality, threshold=threshold, margin=margin)
    return replace(one, encoding=encoding)


def hides(one: Judgement, threshold: float, is_out: Callable[[Candidate], bool]) -> bool:
    """Whether somebody whom it can't be stands before who it may be, or makes a tie with them."""
    if one.nearest is None or one.nearest.distance > threshold:
        return False
    if is_out(one.nearest):
        return True
    return one.person is None and one.runner_up is not None and is_out(one.runner_up)


def possible(
    index: FaceIndex, encoding: Encodings, reach: float, is_out: Callable[[Candidate], bool]
) -> list[Candidate]:
    """The nearest two who are not ruled out; fewer where the others are out of reach.

    Every row is compared, so this is only for where the answer depends on it.
    """
    count = FIRST
    while True:
        nearest = index.nearest_people(encoding, count)
        left = [one for one in nearest if not is_out(one)]
        if len(left) > 1 or len(nearest) < count or nearest[-1].distance > reach:
            return left[:2]
        count *= GROWS


def judge(
    candidates: Sequence[Candidate], quality: float, *, threshold: float, margin: float
) -> Judgement:
    """The nearest person if they are near enough and far enough ahead of the next.

    quality: of the chip, 0 to 1. The weight is quality times score: 1 at distance 0, a half at
    the threshold.
    """
    nearest, runner_up = (*candidates, None, None)[:2]
    lead = runner_up.distance - nearest.distance if nearest and runner_up else None
    near = nearest is not None and nearest.distance <= threshold
    if nearest is None or not near or (lead is not None and lead < margin):
        return Judgement(None, nearest, runner_up, lead, quality * MISS)
    score = 1.0 - 0.5 * nearest.distance / threshold
    return Judgement(nearest.person, nearest, runner_up, lead, quality * score)


def read_picture(chip: FaceChip, into: Chips) -> None:
    """Writes the RGB of a chip into an array of `(112, 112, 3)`. Raises BadPicture.

    Only JPEG: snapshots are served as such, and other decoders are none of a stranger's.
    """
    try:
        found = simplejpeg.decode_jpeg(chip.jpeg, "RGB", buffer=into).shape
    except ValueError as error:
        found = _shape_of(chip)  # a few bytes may claim to be vast: those are not decoded
        if found == CHIP_SHAPE[:2]:
            raise _no_jpeg(chip) from error
    if found[:2] != CHIP_SHAPE[:2]:
        height, width = found[:2]
        raise BadPicture(
            "wrong_size", f"chip {chip.chip_id}: expected 112x112 pixels, got {width}x{height}"
        )


def _shape_of(chip: FaceChip) -> tuple[int, int]:
    """Height and width as the JPEG's head has them."""
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(chip.jpeg)
        return height, width
    except ValueError as error:
        raise _no_jpeg(chip) from error


def _no_jpeg(chip: FaceChip) -> BadPicture:
    return BadPicture("not_an_image", f"chip {chip.chip_id} is not a JPEG, or cut short")
