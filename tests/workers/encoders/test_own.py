"""A user's own encoder, from Keras or ONNX: served like ours, or refused with what differs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray

from examples.own_encoder.blocks import write
from facetrail.errors import BadModelFile, BadSettings
from facetrail.wire import Chips
from ingest.faces.centerface import FILE as CENTERFACE
from tests.workers.encoders.onnx_writer import DOUBLE, averages_times
from workers.encoders.axis import MIRRORED_COLUMNS
from workers.encoders.nn4_small2 import nn4_small2
from workers.encoders.own import own_encoder
from workers.encoders.registry import ServedEncoder, open_encoder

Floats = NDArray[np.float32]

DESCRIPTION = "threshold: 1.0\nmargin: 0.05\n"
NCHW = DESCRIPTION + "layout: nchw\n"
FREE = ("n", 3, 112, 112)
#: Averages of 8x8 squares in three colours, to 128 numbers.
MATRIX = np.random.default_rng(0).normal(size=(192, 128)).astype(np.float32)

OPEN_ONNX = """
import sys
from pathlib import Path
import numpy as np
from workers.encoders.registry import open_encoder
encoder = open_encoder(sys.argv[1], model_dir=None, cache_dir=Path(sys.argv[2]))
encoder.encode(np.zeros((2, 112, 112, 3), np.uint8))
print(sorted({"tensorflow", "keras", "openvino"} & set(sys.modules)))
"""


def opened(path: Path, *, mirrored: bool = False) -> ServedEncoder:
    name = f"{path}{'+mirrored' if mirrored else ''}"
    return open_encoder(name, model_dir=None, cache_dir=path.parent / "cache", device="cpu")


def onnx(folder: Path, data: bytes, description: str = NCHW) -> Path:
    (folder / "mine.yml").write_text(description)
    (folder / "mine.onnx").write_bytes(data)
    return folder / "mine.onnx"


def keras_file(folder: Path, model: keras.Model, description: str = DESCRIPTION) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "mine.yml").write_text(description)
    model.save(folder / "mine.keras")
    return folder / "mine.keras"


def in_keras(name: str, chips: Chips) -> Floats:
    """What a Keras file's encoder answers before it is converted."""
    return np.asarray(own_encoder(name).build()(chips.astype(np.float32)))


def unit(rows: NDArray[np.floating]) -> Floats:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def by_hand(pictures: NDArray[np.floating], matrix: Floats = MATRIX) -> Floats:
    """Averages of `(n, 112, 112, 3)`, colour by colour, times the matrix, of length 1."""
    averages = pictures.reshape(-1, 8, 14, 8, 14, 3).mean(axis=(2, 4))
    return unit(averages.transpose(0, 3, 1, 2).reshape(len(pictures), -1) @ matrix)


def averages_model(layout: str = "channels_last") -> keras.Model:
    """The same network in Keras."""
    shape = (112, 112, 3) if layout == "channels_last" else (3, 112, 112)
    picture = keras.Input(shape)
    x = picture if layout == "channels_last" else layers.Permute((2, 3, 1))(picture)
    x = layers.Permute((3, 1, 2))(layers.AveragePooling2D(14)(x))
    dense = layers.Dense(128, use_bias=False)
    model = keras.Model(picture, dense(layers.Flatten()(x)))
    dense.set_weights([MATRIX])
    return model


def test_an_onnx_file_is_served_of_length_1(tmp_path: Path, chips: Chips) -> None:
    encoder = opened(onnx(tmp_path, averages_times(MATRIX, shape=FREE)))
    assert (encoder.threshold, encoder.margin) == (1.0, 0.05)
    assert encoder.encode(chips) == pytest.approx(by_hand(chips), abs=1e-5)


def test_a_batch_size_written_into_an_onnx_file_is_freed(tmp_path: Path, chips: Chips) -> None:
    encoder = opened(onnx(tmp_path, averages_times(MATRIX, shape=(1, 3, 112, 112))))
    assert encoder.encode(chips) == pytest.approx(by_hand(chips), abs=1e-5)


def test_an_onnx_file_needs_no_tensorflow(tmp_path: Path) -> None:
    path = onnx(tmp_path, averages_times(MATRIX, shape=FREE))
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", OPEN_ONNX, str(path), str(tmp_path / "cache")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.splitlines()[-1] == "['openvino']"


def test_chips_are_prepared_as_described(tmp_path: Path, chips: Chips) -> None:
    # Given encoders that want the middle of the chip, twice as large, blue first, and scaled
    described = "side: 112\nchannels: bgr\nmean: [100, 110, 120]\nscale: [1, 2, 4]\n"
    described += "crop: {left: 28, top: 28, right: 84, bottom: 84}\n"
    file = onnx(tmp_path, averages_times(MATRIX, shape=FREE), NCHW + described)
    rows_first = keras_file(tmp_path / "nhwc", averages_model(), DESCRIPTION + described)
    colours_first = keras_file(
        tmp_path / "nchw", averages_model("channels_first"), NCHW + described
    )

    # If each is given chips whose pixels are squares of 2x2
    squares = chips[:, 28:84, 28:84].repeat(2, axis=1).repeat(2, axis=2)
    # (resampled linearly, so that the inside of a square differs, but not its average)
    prepared = (squares[..., ::-1].astype(np.float64) - [100, 110, 120]) / [1, 2, 4]

    # I expect what comes by hand of the middle, about; and one answer of all three
    found = opened(file).encode(chips)
    assert found == pytest.approx(by_hand(prepared), abs=0.02)
    assert in_keras(str(rows_first), chips) == pytest.approx(found, abs=1e-5)
    assert in_keras(str(colours_first), chips) == pytest.approx(found, abs=1e-5)


def test_more_numbers_are_projected(tmp_path: Path, chips: Chips) -> None:
    # Given encoders of 192 numbers, and a projection
    random = np.random.default_rng(1)
    square, _ = np.linalg.qr(random.normal(size=(192, 192)))
    projection = square[:, :128].astype(np.float32)
    wide = random.normal(size=(192, 192)).astype(np.float32)
    np.save(tmp_path / "mine_projection.npy", projection)
    described = "projection: mine_projection.npy\n"
    path = onnx(tmp_path, averages_times(wide, shape=FREE), NCHW + described)

    # I expect unit features through it, of length 1
    expected = unit(by_hand(chips, wide) @ projection)
    assert opened(path).encode(chips) == pytest.approx(expected, abs=1e-5)


def test_the_mirrored_chip_is_averaged_in(tmp_path: Path, chips: Chips) -> None:
    expected = unit(by_hand(chips) + by_hand(chips[:, :, list(MIRRORED_COLUMNS)]))
    encoder = opened(onnx(tmp_path, averages_times(MATRIX, shape=FREE)), mirrored=True)
    assert encoder.id.startswith("mine+mirrored@")
    assert encoder.encode(chips) == pytest.approx(expected, abs=1e-5)
    file = keras_file(tmp_path / "keras", averages_model())
    assert in_keras(f"{file}+mirrored", chips) == pytest.approx(expected, abs=1e-5)


def test_the_example_tells_two_people_apart(tmp_path: Path, chips: Chips) -> None:
    encoder = opened(write(tmp_path), mirrored=True)
    encodings = encoder.encode(chips)
    assert (encodings.shape, encodings.dtype) == ((len(chips), 128), np.dtype("float32"))
    assert np.linalg.norm(encodings, axis=1) == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(encodings[0] - encodings[1]) > encoder.threshold


def test_a_network_trained_here_is_loaded(tmp_path: Path, chips: Chips) -> None:
    model = nn4_small2()
    found = in_keras(str(keras_file(tmp_path, model)), chips)
    assert found == pytest.approx(np.asarray(model(chips.astype(np.float32))), abs=1e-5)


def test_an_id_follows_what_the_encodings_depend_on(tmp_path: Path) -> None:
    def found(matrix: Floats = MATRIX, description: str = NCHW) -> str:
        return opened(onnx(tmp_path, averages_times(matrix, shape=FREE), description)).id

    first = found()
    assert first.startswith("mine@") and len(first) == len("mine@") + 8
    assert found(description=NCHW.replace("1.0", "0.9")) == first
    assert found(description=NCHW + "channels: bgr") != first
    assert found(matrix=MATRIX + 1) != first


@pytest.mark.parametrize(
    ("data", "description", "why"),
    [
        (b"", NCHW, "is empty"),
        (b"\n<!DOCTYPE html><html>", NCHW, "is a web page, not a model"),
        (b"version https://git-lfs.github.com/spec/v1\noid ", NCHW, "run `git lfs pull`"),
        (b"PK\x03\x04", NCHW, "is not an ONNX file that OpenVINO can read"),
        (averages_times(MATRIX, shape=FREE)[:9000], NCHW, "is not an ONNX file"),
        (
            averages_times(MATRIX, shape=FREE),
            DESCRIPTION,
            "expected one input of shape (n, 112, 112, 3), as mine.yml says, got (n, 3, 112, 112)",
        ),
        (
            averages_times(MATRIX, shape=(10, 3, 64, 64), kernel=8),
            NCHW,
            "expected one input of shape (n, 3, 112, 112), as mine.yml says, got (10, 3, 64, 64)",
        ),
        (averages_times(MATRIX, shape=FREE, kind=DOUBLE), NCHW, "is not an ONNX file"),
        (averages_times(MATRIX, shape=FREE, outputs=2), NCHW, "one output, got f32 and 2 outputs"),
        (averages_times(MATRIX[:, :64], shape=FREE), NCHW, "gives 64 numbers and an encoding has"),
        (averages_times(MATRIX * np.nan, shape=FREE), NCHW, "length 1, got (5, 128) of lengths"),
        (
            averages_times(MATRIX, shape=FREE),
            NCHW + "projection: none.npy",
            "none.npy is not a projection",
        ),
    ],
)
def test_an_onnx_file_that_does_not_fit_is_refused(
    tmp_path: Path, data: bytes, description: str, why: str
) -> None:
    with pytest.raises(BadModelFile) as caught:
        opened(onnx(tmp_path, data, description))
    assert str(tmp_path) in str(caught.value)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_projection_of_other_shapes_is_refused(tmp_path: Path) -> None:
    path = onnx(
        tmp_path, averages_times(MATRIX, shape=FREE), NCHW + "projection: mine_projection.npy"
    )
    for shape, why in (
        ((128, 64), r"expected a projection of shape \(m, 128\), got \(128, 64\)"),
        ((192, 128), r"gives 128 numbers, but mine_projection.npy is a projection of shape"),
    ):
        np.save(tmp_path / "mine_projection.npy", np.ones(shape, np.float32))
        with pytest.raises(BadModelFile, match=why):
            opened(path)


@pytest.mark.parametrize(
    ("shape", "numbers", "why"),
    [
        ((96, 96, 3), 128, "expected one input of shape (None, 112, 112, 3), as mine.yml says, "),
        ((112, 112, 3), 512, "gives 512 numbers and an encoding has 128: fit a projection"),
    ],
)
def test_a_keras_file_that_does_not_fit_is_refused(
    tmp_path: Path, shape: tuple[int, ...], numbers: int, why: str
) -> None:
    picture = keras.Input(shape)
    small = layers.Flatten()(layers.AveragePooling2D(28)(picture))
    model = keras.Model(picture, layers.Dense(numbers)(small))
    with pytest.raises(BadModelFile) as caught:
        opened(keras_file(tmp_path, model))
    assert why in str(caught.value)


def test_a_keras_file_that_runs_code_of_its_own_is_refused(tmp_path: Path) -> None:
    picture = keras.Input((112, 112, 3))
    x = layers.Lambda(lambda x: x * 2)(layers.Flatten()(layers.AveragePooling2D(28)(picture)))
    with pytest.raises(BadModelFile, match="can't be loaded by Keras: .*[Ll]ambda"):
        opened(keras_file(tmp_path, keras.Model(picture, layers.Dense(128)(x))))


def test_what_keras_did_not_write_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    data = path.read_bytes()
    for wrong in (data[: len(data) // 2], b"no model", data.replace(b"config.json", b"other.json")):
        path.write_bytes(wrong)
        with pytest.raises(BadModelFile, match="blocks.keras (is not a file|can't be loaded)"):
            opened(path)


def test_a_file_that_is_not_there_or_named_oddly_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModelFile, match="can't be read .*name an encoder's .keras or .onnx"):
        opened(tmp_path / "none.onnx")
    odd = tmp_path / "my encoder!.onnx"
    odd.write_bytes(averages_times(MATRIX, shape=FREE))
    with pytest.raises(BadSettings, match="named with 1 to 64 letters"):
        opened(odd)


def test_a_detector_is_no_encoder(tmp_path: Path, cache_dir: Path) -> None:
    detector = CENTERFACE.open(None, cache_dir).read_bytes()
    with pytest.raises(BadModelFile, match=r"as mine.yml says, got \(10, 3, 32, 32\)"):
        opened(onnx(tmp_path, detector))
