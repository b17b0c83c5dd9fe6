"""Open-set identification of an encoder: rounds with more and fewer photos enrolled."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass

import msgspec

from facetrail.errors import BadSettings
from facetrail.wire import Encodings
from training.candidates import Candidate
from training.identification import Draw, draw, rates_at, rates_of

#: At which NIST and this project report.
FPIRS = (0.003, 0.01, 0.1)
#: That many strangers are needed before the least FPIR is more than none.
ENOUGH_STRANGERS = math.ceil(1 / min(FPIRS))


@dataclass(frozen=True, slots=True)
class OpenSetProtocol:
    """photos: of each person enrolled, a round for each number. draws: random choices of them.

    margin: least lead over the runner-up, a distance.
    """

    photos: list[int]
    draws: int = 20
    seed: int = 0
    margin: float = 0.0


class Point(msgspec.Struct, frozen=True):
    """Rates at a wanted FPIR; fpir is what came of it. threshold: a distance, mean of draws."""

    wanted: float
    fpir: float
    fnir: float
    threshold: float


class Shipped(msgspec.Struct, frozen=True):
    """Rates at the encoder's own threshold and margin."""

    threshold: float
    margin: float
    fpir: float
    fnir: float


class Round(msgspec.Struct, frozen=True):
    """So many photos of each person enrolled; people who have no more than these are left out."""

    photos: int
    people: int
    probes: int
    at: list[Point]
    shipped: Shipped | None


class OpenSetRow(msgspec.Struct, frozen=True):
    """One encoder's figures."""

    encoder: str
    id: str
    strangers: int
    draws: int
    seed: int
    margin: float
    rounds: list[Round]


def too_few_photos(people: Mapping[str, Sized], photos: int) -> list[str]:
    """Who can't be looked up after that many of their photos, or chips, are enrolled.

    Raises BadSettings if there are not two who can.
    """
    few = [name for name, own in people.items() if len(own) <= photos]
    if (others := len(people) - len(few)) < 2:
        raise BadSettings(
            f"{others} of {len(people)} people have more than {photos} photos with a face: "
            f"to enrol {photos} and look another up takes two such people; add photos or enrol "
            "fewer"
        )
    return few


def evaluated(
    candidate: Candidate,
    people: Sequence[Encodings],
    strangers: Encodings,
    protocol: OpenSetProtocol,
) -> tuple[OpenSetRow, list[list[Draw]]]:
    """The figures, and the draws of each round.

    people: `(k, length)` of each person. strangers: `(n, length)`.
    """
    drawn = [list(_draws(people, strangers, photos, protocol)) for photos in protocol.photos]
    rounds = [
        _round(photos, sum(len(rows) > photos for rows in people), draws, candidate, protocol)
        for photos, draws in zip(protocol.photos, drawn, strict=True)
    ]
    row = OpenSetRow(
        encoder=candidate.name,
        id=candidate.encoder.id,
        strangers=len(strangers),
        draws=protocol.draws,
        seed=protocol.seed,
        margin=protocol.margin,
        rounds=rounds,
    )
    return row, drawn


def _draws(
    people: Sequence[Encodings], strangers: Encodings, photos: int, protocol: OpenSetProtocol
) -> Iterator[Draw]:
    taken = [rows for rows in people if len(rows) > photos]
    for number in range(protocol.draws):
        yield draw(taken, strangers, photos, protocol.seed + number)


def _round(
    photos: int, people: int, draws: list[Draw], candidate: Candidate, protocol: OpenSetProtocol
) -> Round:
    points = [(fpir, rates_at(fpir, draws, margin=protocol.margin)) for fpir in FPIRS]
    return Round(
        photos=photos,
        people=people,
        probes=len(draws[0].truth),
        at=[Point(fpir, rates.fpir, rates.fnir, rates.threshold) for fpir, rates in points],
        shipped=_shipped(candidate, draws),
    )


def _shipped(candidate: Candidate, draws: list[Draw]) -> Shipped | None:
    if candidate.threshold is None or candidate.margin is None:
        return None
    found = rates_of(draws, threshold=candidate.threshold, margin=candidate.margin)
    return Shipped(candidate.threshold, candidate.margin, found.fpir, found.fnir)
