"""The frames of one camera that are worth it are looked at: faces, tracks, chips."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import av

from facetrail.cameras import Camera as CameraSettings
from facetrail.schedule import is_open
from ingest.camera import Frame
from ingest.faces.face import Detector, Face
from ingest.looking.chips import ChipMaker
from ingest.looking.finder import Finder
from ingest.looking.second_opinion import SecondOpinion
from ingest.looking.sight import Scaler, Sight
from ingest.motion import MotionGate
from ingest.saying.outbox import Outbox
from ingest.track import Tracker


class Watch:
    """Looks at those frames of a camera that are worth it; what it finds goes to the outbox.

    least_score: see `Tracker`. second: a stricter detector, asked once of each track. now: the
    local time.
    """

    def __init__(
        self,
        camera: CameraSettings,
        detector: Detector,
        outbox: Outbox,
        *,
        least_score: float,
        second: Detector | None = None,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.camera = camera
        self.outbox = outbox
        self._finder = Finder(
            detector, width=camera.detect_width, tiles=camera.tiles, masks=camera.masks
        )
        self._scaler = Scaler()
        self._second = second
        self._now = now
        self._least_score = least_score
        self._begin(0)

    def _begin(self, stream_epoch: int) -> None:
        self._epoch = stream_epoch
        self._tracker = Tracker(fps=self.camera.fps, least_score=self._least_score)
        self._opinion = SecondOpinion(self._second) if self._second else None
        self._gate = MotionGate(self.camera.motion_threshold, self.camera.masks)
        self._chips = ChipMaker(
            self.camera.name,
            self.camera.zones,
            min_quality=self.camera.min_quality,
            better_by=self.camera.better_by,
        )

    def look(self, frame: Frame) -> None:
        """Detects, tracks and hands out the chips of a frame, if it may show something new."""
        if frame.stream_epoch != self._epoch:
            self.end_tracks(frame.captured_at)
            self._begin(frame.stream_epoch)
        elif frame.cut:
            self.end_tracks(frame.captured_at)
        # By the host's clock: a camera's own may be years off.
        if not is_open(self.camera.schedule, self._now()):
            self.end_tracks(frame.captured_at)
        elif frame.video is None or not self._wants(frame.video, frame.seconds):
            self._end(self._tracker.carry_on(frame.seconds), frame.captured_at)
        else:
            self._look_closely(frame, Sight(frame.video, self._scaler))

    @property
    def still(self) -> bool:
        """Whether nothing moves in what was looked at last."""
        return self._gate.still

    def _wants(self, video: av.VideoFrame, seconds: float) -> bool:
        return not self.camera.motion or self._gate.wants(video, seconds)

    def _look_closely(self, frame: Frame, sight: Sight) -> None:
        faces = self._finder.faces(sight)
        tracked = self._tracker.update(faces, frame.seconds)
        clear = sum(map(self._is_clear, faces))
        known = sum(self._is_clear(face) for _, face in tracked.faces)
        if clear != known or self._tracker.open != len(tracked.faces):
            # A face may have no track yet, or a track miss its face, where nothing moves, too.
            self._gate.look_on(frame.seconds)
        made = [
            self._chips.chip(track, face, sight.picture, frame)
            for track, face in tracked.faces
            if self._may_want(track, face, frame.seconds)
            and self._is_face(track, face, sight, frame)
        ]
        # Where not all can go at once, the best go first.
        chips = sorted((one for one in made if one), key=lambda one: -one.quality.score)
        self.outbox.put(chips)
        self._end(tracked.ended, frame.captured_at)

    def _may_want(self, track: int, face: Face, seconds: float) -> bool:
        is_good = self._is_clear(face) and face.height >= self.camera.min_face
        return is_good and self._chips.may_want(track, face, seconds)

    def _is_clear(self, face: Face) -> bool:
        """Whether it is more than a hint that carries a track on."""
        return face.score >= self._least_score

    def _is_face(self, track: int, face: Face, sight: Sight, frame: Frame) -> bool:
        """Whether the second opinion, if there is one, is that the track is somebody's face."""
        if self._opinion is None:
            return True
        return self._opinion.agrees(track, face, sight.picture, frame.seconds)

    @property
    def lost_s(self) -> float:
        """Seconds without a frame after which nobody is in sight any more."""
        return self._tracker.lost_s

    def end_tracks(self, at: int) -> None:
        """Ends every track. at: nanoseconds since the epoch.

        Whoever is still there has a new one soon: a still picture is looked at, too.
        """
        self._end(self._tracker.end_all(), at)
        self._gate.forget()

    def _end(self, tracks: tuple[int, ...], at: int) -> None:
        if self._opinion is not None:
            self._opinion.forget(tracks)
        ends = [self._chips.ended(track, stream_epoch=self._epoch, at=at) for track in tracks]
        self.outbox.put(end for end in ends if end.chips_sent)
