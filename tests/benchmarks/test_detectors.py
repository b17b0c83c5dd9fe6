"""What a detector is said to see."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.appearances import Shown
from benchmarks.detectors import seen
from ingest.faces.face import Detector, Picture


def test_faces_there_and_others_are_told_apart(
    detector: Detector, astronaut: Picture, hopper: Picture
) -> None:
    # Given two faces in a picture, of which the truth knows one, and one that is not there
    picture = np.hstack([astronaut, hopper[:512]])
    known, other = detector.detect(picture)
    truth = {"known": known.box, "nobody": (5.0, 400.0, 60.0, 60.0)}
    found = seen([Shown(0.0, picture, truth, cut=False)], detector)
    assert (found.share, found.strays) == (0.5, 1.0)

    # If the truth knows both, I expect no other
    both = {"known": known.box, "other": other.box}
    found = seen([Shown(0.0, picture, both, cut=False)], detector)
    assert str(found) == "100%, 0.00"


def test_where_nobody_is_all_are_others(detector: Detector, astronaut: Picture) -> None:
    frames = [Shown(0.0, astronaut, {}, cut=False), Shown(0.0, astronaut * 0, {}, cut=False)]
    assert seen(frames, detector).strays == pytest.approx(0.5)
