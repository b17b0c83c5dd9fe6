"""One id per appearance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import supervision
from numpy.typing import NDArray
from trackers import ByteTrackTracker
from trackers.utils.iou import BIoU
from trackers.utils.state_representations import XCYCWHStateEstimator

from ingest.faces.face import Face, shared

Boxes = NDArray[np.float64]

#: How long a face may be out of sight before its track has ended: seconds, or if longer frames.
LOST_S = 2.0
LOST_FRAMES = 2
#: A face and where its track expected it are each widened by this share of their sides to all
#: sides, and must then overlap by so much (intersection over union). Somebody who walks across
#: moves by more than the width of the face from one look to the next.
WIDENED = 0.75
OVERLAP = 0.12
#: A face is no other's that was so many times as wide and high, or as small, a look before: who
#: turns away does not hand the track to somebody further back.
GROWN = 1.5
#: A detection below the least score counts where one was in the last look, overlapping so much.
CARRIED = 0.4
#: Tracks of those who don't move are carried on so often; more would cost and say nothing.
CARRY_S = 1.0
#: Frames in a row before a face is a track; a single detection is often a mistake.
FRAMES = 2


@dataclass(frozen=True, slots=True)
class Tracked:
    """The faces of a frame that belong to tracks, and the tracks that have ended."""

    faces: tuple[tuple[int, Face], ...]
    ended: tuple[int, ...]


class SteadySize(XCYCWHStateEstimator):
    """Predicts where a face moves, and that it keeps its size.

    One that goes behind something seems to shrink; it would be expected as a dot after it.
    """

    def clamp_velocity(self, frame_step: float = 1.0) -> None:
        self.kf.state[6:] = 0.0


class AlikeIoU(BIoU):
    """Intersection over union of widened boxes; 0 where their sizes are of different faces."""

    def _compute(self, boxes_1: Boxes, boxes_2: Boxes) -> Boxes:
        shares: Boxes = super()._compute(boxes_1, boxes_2)
        areas = np.maximum(_areas(boxes_1)[:, None], 1.0) / np.maximum(_areas(boxes_2), 1.0)
        return np.where(np.maximum(areas, 1 / areas) <= GROWN**2, shares, 0.0)


class Tracker:
    """ByteTrack (Zhang et al. 2022, arXiv:2110.06864) over boxes of faces.

    Boxes are matched widened, as in C-BIoU (Yang et al. 2023, arXiv:2211.14317), and in one
    round: weak detections are given to it only where a face was.
    Tracks are numbered from 1. fps: frames a second looked at. least_score: a detection below
    it starts no track. lost_s: seconds out of sight after which a track has ended.
    """

    def __init__(self, *, fps: float, least_score: float) -> None:
        self.lost_s = max(LOST_S, (LOST_FRAMES + 0.5) / fps)
        self._least_score = least_score
        self._bytetrack = ByteTrackTracker(
            lost_track_buffer=round(self.lost_s * 30),  # its unit: frames at 30 a second
            frame_rate=fps,
            track_activation_threshold=least_score,
            high_conf_det_threshold=0.0,
            minimum_consecutive_frames=FRAMES,
            minimum_iou_threshold=OVERLAP,
            state_estimator_class=SteadySize,
            iou=AlikeIoU(WIDENED),
        )
        self._seen_at: dict[int, float] = {}
        self._found: Sequence[Face] = ()  # when last looked
        self._faces: tuple[Face, ...] = ()  # of them, those of tracks
        self._updated_at = 0.0
        self._before = 0  # tracks numbered before the last cut
        self._newest = 0  # the highest number given

    @property
    def open(self) -> int:
        """How many tracks have not ended."""
        return len(self._seen_at)

    def update(self, faces: Sequence[Face], seconds: float) -> Tracked:
        """The tracks of a frame's faces, at a time that grows from call to call."""
        faces = self._found = [face for face in faces if self._counts(face)]
        boxes = np.array([_corners(face) for face in faces], np.float32).reshape(-1, 4)
        found = self._bytetrack.update(
            supervision.Detections(
                xyxy=boxes,
                confidence=np.array([face.score for face in faces], np.float32),
                data={"face": np.arange(len(faces))},
            ),
            timestamp=seconds,
        )
        tracked = [
            (self._before + int(track) + 1, faces[int(row)])
            for track, row in zip(_ids(found), found.data.get("face", ()), strict=True)
            if track >= 0
        ]
        self._faces, self._updated_at = tuple(face for _, face in tracked), seconds
        self._seen_at |= {track: seconds for track, _ in tracked}
        self._newest = max([self._newest, *(track for track, _ in tracked)])
        ended = [track for track, at in self._seen_at.items() if seconds - at > self.lost_s]
        return Tracked(tuple(tracked), self._end(ended))

    def carry_on(self, seconds: float) -> tuple[int, ...]:
        """Whoever was seen last is still there: nothing moved since. The tracks that ended."""
        if not self._seen_at or seconds - self._updated_at < CARRY_S:
            return ()
        return self.update(self._faces, seconds).ended

    def end_all(self) -> tuple[int, ...]:
        """Ends every track, at a cut of the picture or the end of the stream."""
        ended = self._end(list(self._seen_at))
        self._before, self._found, self._faces = self._newest, (), ()
        self._bytetrack.reset()
        return ended

    def _counts(self, face: Face) -> bool:
        """Whether it was seen well, or there was a face just before."""
        return face.score >= self._least_score or any(
            _overlap(face, before) >= CARRIED for before in self._found
        )

    def _end(self, tracks: list[int]) -> tuple[int, ...]:
        for track in tracks:
            del self._seen_at[track]
        return tuple(tracks)


def _ids(found: supervision.Detections) -> NDArray[np.integer[Any]]:
    """The tracks' numbers, -1 where there is none yet."""
    return np.empty(0, np.int_) if found.tracker_id is None else found.tracker_id


def _overlap(face: Face, other: Face) -> float:
    """Intersection over union."""
    common = shared(face, other)
    return common / (face.area + other.area - common)


def _areas(boxes: Boxes) -> Boxes:
    return np.asarray(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), np.float64)


def _corners(face: Face) -> tuple[float, float, float, float]:
    x, y, width, height = face.box
    return x, y, x + width, y + height
