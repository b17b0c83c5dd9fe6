"""Faces are encoded in full batches, whoever's they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from facetrail.wire import Encoder
from index.photo import Photo
from index.photos.look import FoundFace, Rejected
from index.photos.photo_source import Source, Work
from ingest.faces.jpeg import jpeg

BATCH = 32
#: What may wait for a batch to fill, when most of what comes is no face.
MOST_WAITING = 8 * BATCH


@dataclass(frozen=True, slots=True)
class EncodedFace:
    """A face as the gallery takes it, and where it came from."""

    source: Source
    photo: Photo


def in_batches(
    items: Iterable[FoundFace | Rejected | Work], encoder: Encoder
) -> Iterator[EncodedFace | Rejected | Work]:
    """The faces among these encoded, everything in its order."""
    waiting: list[FoundFace | Rejected | Work] = []
    faces = 0
    for item in items:
        waiting.append(item)
        faces += isinstance(item, FoundFace)
        if not faces or faces == BATCH or len(waiting) == MOST_WAITING:
            yield from _encoded(waiting, encoder)
            waiting, faces = [], 0
    yield from _encoded(waiting, encoder)


def _encoded(
    items: list[FoundFace | Rejected | Work], encoder: Encoder
) -> Iterator[EncodedFace | Rejected | Work]:
    chips = [item.chip for item in items if isinstance(item, FoundFace)]
    encodings = iter(encoder.encode(np.stack(chips))) if chips else iter(())
    for item in items:
        if not isinstance(item, FoundFace):
            yield item
            continue
        photo = Photo(
            digest=item.digest,
            source=item.source.kept_as,
            encoding=next(encodings).astype("<f4").tobytes(),
            chip=jpeg(item.chip),
        )
        yield EncodedFace(item.source, photo)
