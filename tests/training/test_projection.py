"""The projection keeps most of the encodings it is fitted on, and whole lengths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facetrail.errors import EncoderMismatch
from facetrail.settings import Settings
from tests.workers.encoders.onnx_writer import averages_times
from training.lfw import Pair, people_of
from training.people import photos_but
from training.projection import features_of, fitted, network_of
from workers.encoders.registry import open_encoder


def test_the_directions_with_most_in_them_are_kept() -> None:
    # Given three encodings along one axis, two along another and one along a third
    axes = np.eye(4, dtype=np.float32)
    encodings = axes[[2, 2, 2, 0, 0, 3]]

    # I expect the first two axes, in either direction
    assert np.abs(fitted(encodings, 2)) == pytest.approx(axes[[2, 0]].T, abs=1e-6)


def test_the_middle_is_not_taken_away_first() -> None:
    encodings = np.tile(np.array([[0.6, 0.8, 0]], np.float32), (5, 1))
    assert np.abs(fitted(encodings, 1)[:, 0]) == pytest.approx([0.6, 0.8, 0], abs=1e-6)


def test_the_columns_are_orthonormal_and_the_distances_shrink() -> None:
    rows = np.random.default_rng(0).normal(size=(400, 256))
    encodings = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    projection = fitted(encodings)
    assert (projection.shape, projection.dtype) == ((256, 128), np.dtype("float32"))
    assert projection.T @ projection == pytest.approx(np.eye(128), abs=1e-5)
    assert (np.linalg.norm(encodings @ projection, axis=1) <= 1 + 1e-5).all()


def test_no_better_projection_is_found_by_chance() -> None:
    random = np.random.default_rng(0)
    encodings = (random.normal(size=(300, 256)) * np.linspace(1, 0.1, 256)).astype(np.float32)
    kept = np.linalg.norm(encodings @ fitted(encodings))
    other, _ = np.linalg.qr(random.normal(size=(256, 128)))
    assert kept > np.linalg.norm(encodings @ other)


def test_too_few_encodings_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at least 128 encodings, got 3"):
        fitted(np.eye(3, 256, dtype=np.float32))


def test_people_that_are_evaluated_on_are_left_out(tmp_path: Path) -> None:
    for name in ("Ada_L/1.jpg", "ada_l/1.jpg", "Ben/2.jpg", "Ben/1.jpg", "Cleo/1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    pairs = [Pair(0, Path("ada_L/1.jpg"), Path("CLEO/1.jpg"), False)]

    assert people_of(pairs) == {"ada_L", "CLEO"}
    found = photos_but(tmp_path, people_of(pairs))
    assert [str(path.relative_to(tmp_path)) for path in found] == ["Ben/1.jpg", "Ben/2.jpg"]


def test_fewer_numbers_than_128_keep_their_distances() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 64)).astype(np.float32)
    projection = fitted(rows)
    assert projection.shape == (64, 128)
    assert rows @ projection @ (rows @ projection).T == pytest.approx(rows @ rows.T, abs=1e-3)


def test_a_user_s_own_encoder_is_projected(tmp_path: Path) -> None:
    # Given an encoder of 192 numbers, and chips of noise
    matrix = np.random.default_rng(0).normal(size=(192, 192)).astype(np.float32)
    own = tmp_path / "wide.onnx"
    own.write_bytes(averages_times(matrix, shape=("n", 3, 112, 112)))
    described = "threshold: 1\nmargin: 0\nlayout: nchw\nprojection: wide_projection.npy\n"
    own.with_suffix(".yml").write_text(described)
    chips = np.random.default_rng(1).integers(0, 256, (150, 112, 112, 3), dtype=np.uint8)

    # If a projection of its features is fitted and saved where the description says
    network, to = network_of(str(own), Settings())
    features = features_of(chips, network)
    np.save(to, fitted(features))

    # I expect its encodings to be the features as far as 128 numbers hold them
    assert features.shape == (150, 192)
    assert np.linalg.norm(features, axis=1) == pytest.approx(1, abs=1e-5)
    served = open_encoder(str(own), model_dir=None, cache_dir=tmp_path / "cache")
    encodings = served.encode(chips)
    assert encodings @ encodings.T == pytest.approx(features @ features.T, abs=1e-2)


def test_an_encoder_without_a_projection_is_refused() -> None:
    with pytest.raises(EncoderMismatch, match="dlib_resnet has no projection to fit"):
        network_of("dlib_resnet", Settings())
