"""The figures we publish are the ones that come out, by our own detection and alignment."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.faces.detect import open_detector
from training.faces import central_chips, encoded
from training.lfw import read_pairs, verify
from workers.encoders.registry import open_encoder

#: Accuracy on the five folds there are, and how far it may be from it.
EXPECTED = {"retail0095": 0.994, "dlib_resnet": 0.988}
TOLERANCE = 0.003


@pytest.mark.timeout(600)  # about a minute on two cores that do nothing else
def test_both_encoders_verify_faces_as_published(
    test_data: Path, model_dir: Path, cache_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a chip of every photo of LFW's pairs
    lfw = test_data / "faces" / "lfw"
    pairs = read_pairs(lfw / "pairs.txt", lfw / "images")
    photos = sorted({photo for pair in pairs for photo in (pair.first, pair.second)})
    detector = open_detector("centerface", model_dir=model_dir, cache_dir=cache_dir, threads=2)
    found, chips = central_chips(photos, detector)
    assert len(found) == len(photos)

    for name, expected in EXPECTED.items():
        # If they are encoded and the pairs decided
        encoder = open_encoder(name, model_dir=model_dir, cache_dir=cache_dir)
        figures = verify(pairs, dict(zip(found, encoded(chips, encoder), strict=True)))

        # I expect the published accuracy
        with capsys.disabled():
            print(f"\n{name} on LFW: {figures.accuracy:.2%} ± {figures.deviation:.2%}")
        assert figures.accuracy == pytest.approx(expected, abs=TOLERANCE)
