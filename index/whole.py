"""The whole gallery becomes an index: a million encodings in seconds."""

from __future__ import annotations

import numpy as np
import structlog

from facetrail.wire import Encodings
from index.codes import NUMBERS
from index.face_index import FaceIndex
from index.lengths import of_length_one
from index.photo import ENROLLED, NEGATIVE, Ids, Records
from index.reader import GalleryReader

log = structlog.get_logger(__name__)


def whole(
    gallery: GalleryReader, encoder: str, *, half: bool
) -> tuple[FaceIndex, dict[str, Encodings]]:
    """Everyone's encodings as an index, and by id those that are not theirs."""
    slots = gallery.count_slots()
    ids, rows, count = np.empty(slots, "S12"), np.empty((slots, NUMBERS), np.float32), 0
    negatives: dict[str, Encodings] = {}
    for records in gallery.records(encoder):
        own, encodings = readable(records, ENROLLED)
        end = min(slots, count + len(own))  # who came since is in the log
        ids[count:end], rows[count:end] = own[: end - count], encodings[: end - count]
        count = end
        for person, row in zip(*readable(records, NEGATIVE), strict=True):
            before = negatives.get(person.decode(), row[:0].reshape(0, NUMBERS))
            negatives[person.decode()] = np.concatenate([before, row[None]])
    return FaceIndex.of(ids[:count], rows[:count], half=half), negatives


def readable(records: Records, kind: int) -> tuple[Ids, Encodings]:
    """Ids and encodings of a kind, without those that something has spoiled."""
    ids, encodings = records.ids(kind), records.encodings(kind)
    good = of_length_one(encodings)
    if good.all():
        return ids, encodings
    log.error("unreadable in the gallery, left out", people=sorted(set(ids[~good].tolist())))
    return ids[good], encodings[good]
