"""The detectors that one camera is looked at with."""

from __future__ import annotations

from facetrail.cameras import Camera
from facetrail.settings import Settings
from ingest.faces.detect import DetectorName, at_cameras, open_detector
from ingest.faces.face import Detector
from ingest.looking.second_opinion import SIDE

#: CenterFace's detections from this share of the least score carry tracks on. Not YuNet's: it
#: gives hands 0.7.
WEAK = 0.6


def weakest(name: DetectorName, least_score: float) -> float:
    """The least score of a detection that the tracker is given."""
    return WEAK * least_score if name == "centerface" else least_score


def first_detector(settings: Settings, camera: Camera) -> Detector:
    """What finds the faces, weak ones too. Raises BadModelFile."""
    name = _name(settings)
    return open_detector(
        name,
        width=camera.detect_width,
        score=weakest(name, settings.detection_score),
        precision=camera.detect_precision,
        threads=settings.detector_threads,
        **settings.models,
    )


def second_detector(settings: Settings, camera: Camera) -> Detector | None:
    """CenterFace beside YuNet, which finds more and sees faces in hands. Raises BadModelFile."""
    if _name(settings) == "centerface":
        return None
    return open_detector(
        "centerface",
        width=SIDE,
        score=settings.detection_score,
        precision=camera.detect_precision,
        **settings.models,
    )


def _name(settings: Settings) -> DetectorName:
    return at_cameras(settings.detector, **settings.models)
