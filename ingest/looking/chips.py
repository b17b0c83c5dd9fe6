"""Faces of tracks become chips for the queue."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import uuid_utils

from facetrail.wire import FaceChip, TrackEnded
from ingest.camera import Frame
from ingest.faces.align import align
from ingest.faces.face import Face, Picture
from ingest.faces.jpeg import jpeg
from ingest.faces.quality import most_quality_of, quality_of
from ingest.looking.choice import ChipChoice
from ingest.looking.regions import Polygon, holds

CONTEXT_QUALITY = 80
CONTEXT_WIDTH = 256  # pixels, at most
CONTEXT_SPAN = 2.5  # widths and heights of the face that the context shows

Zones = Mapping[str, Polygon]


class ChipMaker:
    """Chips of one stream's tracks.

    zones: polygons, 0 to 1. min_quality: a chip that scores less is not sent, 0 to 1.
    better_by: see `ChipChoice`.
    """

    def __init__(
        self, camera: str, zones: Zones, *, min_quality: float = 0.0, better_by: float = 0.1
    ) -> None:
        self.camera = camera
        self.zones = zones
        self._min_quality = min_quality
        self._better_by = better_by
        self._choices: dict[int, ChipChoice] = {}

    def may_want(self, track: int, face: Face, seconds: float) -> bool:
        """Whether the face's chip may be one to send; without it, so that few must be made."""
        most = most_quality_of(face)
        choice = self._choices.get(track)
        return most >= self._min_quality and (choice is None or choice.may_take(most, seconds))

    def chip(self, track: int, face: Face, picture: Picture, frame: Frame) -> FaceChip | None:
        """The chip to send of a tracked face, or None where another adds nothing."""
        aligned = align(picture, face.landmarks)
        if aligned is None:
            return None
        quality = quality_of(face, aligned)
        if quality.score < self._min_quality:
            return None
        choice = self._choices.setdefault(track, ChipChoice(self._better_by))
        if not choice.takes(quality.score, frame.seconds):
            return None
        height, width = picture.shape[:2]
        return FaceChip(
            chip_id=str(uuid_utils.uuid7()),
            camera=self.camera,
            stream_epoch=frame.stream_epoch,
            track=track,
            number=choice.sent,
            captured_at=frame.captured_at,
            box=face.box,
            frame_size=(width, height),
            landmarks=tuple((float(x), float(y)) for x, y in face.landmarks),  # type: ignore[arg-type]
            detection_score=face.score,
            quality=quality,
            zones=self._zones_of(face, width, height),
            jpeg=jpeg(aligned),
            context=jpeg(surroundings(picture, face), CONTEXT_QUALITY),
        )

    def ended(self, track: int, *, stream_epoch: int, at: int) -> TrackEnded:
        """The last word on a track. at: nanoseconds since the epoch."""
        choice = self._choices.pop(track, None)
        return TrackEnded(
            camera=self.camera,
            stream_epoch=stream_epoch,
            track=track,
            ended_at=at,
            chips_sent=choice.sent if choice else 0,
        )

    def _zones_of(self, face: Face, width: int, height: int) -> tuple[str, ...]:
        """The zones in which the middle of the face's lower edge lies."""
        x, y, box_width, box_height = face.box
        foot = ((x + box_width / 2) / width, (y + box_height) / height)
        return tuple(name for name, zone in self.zones.items() if holds(zone, *foot))


def surroundings(picture: Picture, face: Face) -> Picture:
    """What is around a face, at most 256 pixels wide."""
    x, y, width, height = face.box
    middle = (x + width / 2, y + height / 2)
    left, right = _span(middle[0], width, picture.shape[1])
    top, bottom = _span(middle[1], height, picture.shape[0])
    part = picture[top:bottom, left:right]
    scale = min(1.0, CONTEXT_WIDTH / part.shape[1])
    size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)


def _span(middle: float, length: float, limit: int) -> tuple[int, int]:
    """Where the context begins and ends along one axis; at least one pixel of the picture."""
    half = CONTEXT_SPAN * length / 2
    begin = min(max(0, int(middle - half)), limit - 1)
    return begin, max(begin + 1, min(limit, int(middle + half)))
