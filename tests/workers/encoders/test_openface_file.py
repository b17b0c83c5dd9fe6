"""OpenFace's published weights: read in both forms, or refused in a sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray

from facetrail.errors import BadModelFile
from facetrail.wire import Chips
from workers.encoders.nn4_small2 import network
from workers.encoders.openface_file import openface


@pytest.fixture(scope="module")
def drawn() -> keras.Model:
    """The network with weights drawn at random, all of them different from new ones."""
    random = np.random.default_rng(7)
    model = network()
    for layer in model.layers:
        lowest = [-0.05 if weight.ndim > 1 else 0.1 for weight in layer.get_weights()]
        drawn = zip(lowest, layer.get_weights(), strict=True)
        layer.set_weights([random.uniform(low, low + 0.1, w.shape) for low, w in drawn])
    return model


def arrays(layer: keras.layers.Layer) -> dict[str, NDArray[np.float32]]:
    """A layer's arrays as OpenFace lays them down, by the end of their names."""
    parts = "wbmv" if isinstance(layer, layers.BatchNormalization) else "wb"
    turned = [
        {4: lambda w: w.transpose(3, 2, 0, 1), 2: lambda w: w.T}.get(w.ndim, lambda w: w)(w)
        for w in layer.get_weights()
    ]
    return dict(zip(parts, turned, strict=False))


@pytest.fixture(scope="module")
def folder(drawn: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CSV files, one array in a line each."""
    made = tmp_path_factory.mktemp("openface")
    for layer in drawn.layers:
        for part, array in arrays(layer).items():
            name = "dense" if layer.name == "dense_layer" else layer.name
            array.tofile(made / f"{name}_{part}.csv", sep=",")
    return made


@pytest.fixture(scope="module")
def h5(drawn: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keras' old file: a group for each layer, its arrays in the order it says."""
    path = tmp_path_factory.mktemp("openface") / "nn4.h5"
    with h5py.File(path, "w") as file:
        for layer in drawn.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{i}:0" for i in range(len(layer.weights))]
            group.attrs["weight_names"] = names
            for name, array in zip(names, layer.get_weights(), strict=True):
                group[name] = array
    return path


@pytest.mark.parametrize("form", ["folder", "h5"])
def test_every_array_comes_to_its_place(
    form: str, drawn: keras.Model, request: pytest.FixtureRequest
) -> None:
    read = openface(request.getfixturevalue(form))
    bare = read.get_layer("nn4_small2_network_cropped").get_layer("nn4_small2_network")
    for found, expected in zip(bare.get_weights(), drawn.get_weights(), strict=True):
        assert np.array_equal(found, expected)


def test_a_missing_file_is_named(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        if path.name != "bn3_m.csv":
            (tmp_path / path.name).symlink_to(path)
    with pytest.raises(BadModelFile, match="bn3_m.csv can't be read: get the whole folder"):
        openface(tmp_path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1,2,3\n", r"expected conv1 of shapes .*\(7, 7, 3, 64\).*, got \[\(3,\)"),
        ("<html>not found</html>\n", "conv1_w.csv is no CSV of numbers"),
    ],
)
def test_a_wrong_file_is_refused(folder: Path, tmp_path: Path, text: str, why: str) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "conv1_w.csv").unlink()
    (tmp_path / "conv1_w.csv").write_text(text)
    with pytest.raises(BadModelFile, match=why):
        openface(tmp_path)


def test_another_h5_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file.create_group("dense").attrs["weight_names"] = []
    with pytest.raises(BadModelFile, match="is not nn4.small2: it has no layer conv1"):
        openface(path)


def test_what_is_no_h5_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "page.h5"
    path.write_text("<html>")
    with pytest.raises(BadModelFile, match="is neither a folder of OpenFace's CSV files nor"):
        openface(path)


@pytest.mark.slow
def test_the_command_makes_an_encoder(h5: Path, chips: Chips, tmp_path: Path) -> None:
    to = tmp_path / "openface.keras"
    command = [sys.executable, "-m", "training.openface", str(h5), "--to", str(to)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "3,743,280 parameters" in done.stdout
    encodings = np.asarray(keras.saving.load_model(to)(chips.astype(np.float32)))
    assert np.linalg.norm(encodings, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == ["openface.keras"]
