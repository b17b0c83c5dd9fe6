"""Chips and ends of tracks, without pictures."""

from __future__ import annotations

from facetrail.wire import FaceChip, Quality, TrackEnded


def chip(
    track: int, number: int, *, size: int = 10, epoch: int = 1, score: float = 0.8
) -> FaceChip:
    """size: bytes of its picture. score: its quality."""
    return FaceChip(
        chip_id=f"{epoch}-{track}-{number}",
        camera="lobby",
        stream_epoch=epoch,
        track=track,
        number=number,
        captured_at=0,
        box=(0.0, 0.0, 9.0, 9.0),
        frame_size=(640, 360),
        landmarks=((0.0, 0.0),) * 5,  # type: ignore[arg-type]
        detection_score=0.9,
        quality=Quality(height=90.0, sharpness=300.0, yaw=0.0, score=score),
        jpeg=bytes(size),
    )


def ended(track: int, chips_sent: int, *, epoch: int = 1) -> TrackEnded:
    return TrackEnded(
        camera="lobby", stream_epoch=epoch, track=track, ended_at=0, chips_sent=chips_sent
    )
