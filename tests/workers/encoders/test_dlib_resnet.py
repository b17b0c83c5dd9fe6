"""dlib_resnet answers as dlib itself does."""

from __future__ import annotations

from pathlib import Path

import cv2
import dlib
import keras
import numpy as np
import pytest

from facetrail.wire import Chips
from ingest.faces.align import TEMPLATE
from workers.encoders.dlib_resnet import SIDE, dlib_resnet, network
from workers.encoders.registry import entry_of, open_encoder


@pytest.fixture(scope="module")
def weights(cache_dir: Path) -> Path:
    return entry_of("dlib_resnet").files[0].open(None, cache_dir)


@pytest.fixture(scope="module")
def model(weights: Path) -> keras.Model:
    return dlib_resnet(weights)


def test_it_answers_as_dlib_does(weights: Path, celebs: Chips) -> None:
    # Given twelve real faces in the size dlib wants
    faces = np.stack([cv2.resize(chip, (SIDE, SIDE)) for chip in celebs])
    golden = dlib.face_recognition_model_v1(str(weights))
    expected = [np.array(golden.compute_face_descriptor(face)) for face in faces]

    # If the same go through the bare network in Keras
    found = np.asarray(network(weights)(faces.astype(np.float32)))

    # I expect dlib's numbers, before they have length 1
    assert np.abs(found - np.stack(expected)).max() < 1e-5
    assert np.linalg.norm(expected, axis=1).max() > 1.1


def test_it_has_all_the_weights_of_dlibs_file(weights: Path) -> None:
    assert network(weights).count_params() == 5_607_488


def test_openvino_answers_as_keras_does(model: keras.Model, celebs: Chips, cache_dir: Path) -> None:
    served = open_encoder("dlib_resnet", model_dir=None, cache_dir=cache_dir, device="cpu")
    expected = np.asarray(model(celebs.astype(np.float32)))
    assert np.abs(served.encode(celebs) - expected).max() < 1e-5


def test_its_crop_is_dlibs_own(model: keras.Model) -> None:
    # Given dlib's five points, in its crop of 150x150, and where the crop samples them from
    dlibs = np.array(
        [[47.549, 46.599], [100.476, 46.599], [74.013, 76.563], [50.415, 103.023], [97.61, 103.023]]
    )
    crop = model.get_layer("dlib_resnet_network_cropped").get_layer("crop")
    start = np.array([crop.columns.start, crop.rows.start])
    step = np.array([crop.columns.step, crop.rows.step])

    apart = start + step * dlibs - TEMPLATE

    # I expect the ArcFace template, as far as one similarity fits the two
    assert apart.mean(axis=0) == pytest.approx([0, 0], abs=0.5)
    assert np.abs(apart).max() < 2.5


def test_a_saved_encoder_answers_alike(model: keras.Model, chips: Chips, tmp_path: Path) -> None:
    model.save(tmp_path / "encoder.keras")
    again = keras.saving.load_model(tmp_path / "encoder.keras")
    floats = chips.astype(np.float32)
    assert np.asarray(again(floats)) == pytest.approx(np.asarray(model(floats)), abs=1e-6)
