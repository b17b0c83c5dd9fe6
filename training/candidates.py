"""What is evaluated: the encoders on this machine, and the pixels they are held against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from facetrail.settings import Settings
from training.faces import Encodes
from training.pixels import Pixels
from workers.encoders.choice import is_here, opened_encoder
from workers.encoders.own import MIRRORED
from workers.encoders.registry import ENTRIES


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """threshold, margin: as shipped; none of the pixels."""

    name: str
    encoder: Encodes
    threshold: float | None = None
    margin: float | None = None


def names_on_disk(settings: Settings) -> tuple[list[str], list[str]]:
    """The pixels and each encoder whose files are here, the best last; and those without."""
    names = [entry.name for entry in reversed(ENTRIES)]
    here = [name for name in names if is_here(name, settings)]
    return [Pixels.id, *here], [name for name in names if name not in here]


def with_mirrored(names: Sequence[str]) -> Iterator[str]:
    """After each encoder the one that averages in the mirrored chip."""
    for name in names:
        yield name
        if name != Pixels.id and MIRRORED not in name:
            yield name + MIRRORED


def open_candidate(name: str, settings: Settings) -> Candidate:
    """The encoder of that name or id, or `pixels`. Raises EncoderMismatch, BadModelFile."""
    if name == Pixels.id:
        return Candidate(name, Pixels())
    encoder = opened_encoder(name, settings)
    return Candidate(name, encoder, encoder.threshold, encoder.margin)
