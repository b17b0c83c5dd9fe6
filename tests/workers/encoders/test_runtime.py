"""How an encoder is run: converted once, then without TensorFlow; the same on both."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from openvino.frontend import OpConversionFailure

from benchmarks.encoder_memory import resident_mb
from facetrail.errors import BadModelFile, BadSettings
from facetrail.wire import Chips, Encoder
from tests.workers.encoders.precision import precisions
from workers.encoders.conversion import converted
from workers.encoders.openvino_runtime import OpenVinoRuntime
from workers.encoders.registry import ENTRIES, Entry, ServedEncoder, entry_of, open_encoder
from workers.encoders.runtime import open_runtime
from workers.encoders.tensorflow_runtime import TensorFlowRuntime, in_precision

OPEN_AND_ENCODE = """
import sys
from pathlib import Path
import numpy as np
from workers.encoders.registry import open_encoder
encoder = open_encoder("dlib_resnet", model_dir=None, cache_dir=Path(sys.argv[1]), device="cpu")
encoder.encode(np.zeros((2, 112, 112, 3), np.uint8))
print(sorted({"tensorflow", "keras", "openvino"} & set(sys.modules)))
"""


class Network:
    """Exports one file, as a Keras network does; may be overtaken by another process."""

    def __init__(self, overtaken: Path | None = None) -> None:
        self.overtaken = overtaken
        self.exports = 0

    def export(self, path: str, **_: object) -> None:
        self.exports += 1
        Path(path).write_text("ours")
        if self.overtaken is not None:
            self.overtaken.mkdir()
            (self.overtaken / "model.xml").write_text("theirs")


class BadNetwork(Network):
    def __init__(self, fault: Exception) -> None:
        super().__init__()
        self.fault = fault

    def export(self, path: str, **_: object) -> None:
        Path(path).write_text("half of it")
        raise self.fault


def test_a_second_opening_imports_no_tensorflow(encoder: Encoder, cache_dir: Path) -> None:
    # Given an encoder that was opened, and so converted; if another process opens it
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", OPEN_AND_ENCODE, str(cache_dir)],
        capture_output=True,
        text=True,
        check=True,
    )

    # I expect OpenVINO alone, and nothing said
    assert found.stdout == "['openvino']\n"
    assert found.stderr == ""


def test_a_network_is_converted_once(tmp_path: Path) -> None:
    network = Network()
    for _ in range(3):
        assert converted(lambda: network, tmp_path / "kept").read_text() == "ours"
    assert network.exports == 1
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_conversion_overtaken_by_another_process_takes_theirs(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    assert converted(lambda: Network(overtaken=folder), folder).read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize(
    ("fault", "kind", "sentence"),
    [
        (OSError(28, "No space left on device"), BadSettings, "No space left .*FACETRAIL_CACHE"),
        (RuntimeError("Can't open bin file"), BadSettings, "Can't open .*FACETRAIL_CACHE"),
        (OpConversionFailure("no rule for Foo\nat length"), BadModelFile, "kept .*for Foo$"),
        (ValueError("a shape"), BadModelFile, "kept can't be converted for OpenVINO: a shape$"),
    ],
)
def test_a_conversion_that_fails_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, fault: Exception, kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):
        converted(lambda: BadNetwork(fault), tmp_path / "kept")
    assert list(tmp_path.iterdir()) == []
    assert converted(Network, tmp_path / "kept").read_text() == "ours"


def test_a_cache_that_cant_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadSettings, match="can't be written .*FACETRAIL_CACHE_DIR"):
        converted(Network, tmp_path / "file" / "openvino" / "kept")


def test_tensorflow_answers_as_openvino_does(
    encoder: Encoder, chips: Chips, cache_dir: Path
) -> None:
    entry = entry_of("dlib_resnet")
    runtime = TensorFlowRuntime(entry.build(*entry.open(None, cache_dir)))
    expected = encoder.encode(chips)
    for count in (5, 1, 3, 4, 5):  # filled up to 8, 1 and 4
        found = runtime.run(chips[:count])
        assert (found.shape, found.dtype) == ((count, 128), np.dtype("float32"))
        assert np.abs(found - expected[:count]).max() < 1e-5
    assert runtime.compilations == 3


def test_mixed_precision_is_near_enough_and_of_length_1(
    encoder: Encoder, chips: Chips, cache_dir: Path
) -> None:
    # Given the network built to compute in bfloat16
    model = in_precision(entry_of("dlib_resnet").builder(None, cache_dir), "bf16")
    assert precisions(model) == {"bfloat16"}
    assert model.get_layer("unit").compute_dtype == "float32"
    assert all(weight.dtype == "float32" for weight in model.weights)

    # I expect encodings in float32 all the same, and what is built next as before
    found = ServedEncoder(entry_of("dlib_resnet"), TensorFlowRuntime(model)).encode(chips[:4])
    assert (found.shape, found.dtype) == ((4, 128), np.dtype("float32"))
    assert np.linalg.norm(found, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert np.linalg.norm(found - encoder.encode(chips[:4]), axis=1).max() < 0.05
    assert keras.config.dtype_policy().name == "float32"


def test_a_network_that_cant_be_built_leaves_the_precision_as_it_was() -> None:
    def build() -> keras.Model:
        raise OSError("no weights")

    with pytest.raises(OSError, match="no weights"):
        in_precision(build, "bf16")
    assert keras.config.dtype_policy().name == "float32"


# The other two are held to 1e-5 beside their networks.
@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(entry, marks=[pytest.mark.slow] if entry.name == "combined" else [])
        for entry in ENTRIES
        if entry.name not in ("dlib_resnet", "retail0095")
    ],
    ids=lambda entry: str(entry.name),
)
def test_openvino_answers_as_keras_does(
    entry: Entry, model_dir: Path, tmp_path: Path, chips: Chips
) -> None:
    model = entry.builder(model_dir, tmp_path)()
    runtime = open_runtime(lambda: model, key=entry.id, cache_dir=tmp_path, device="cpu")
    expected = np.asarray(model(chips.astype(np.float32)))
    assert np.abs(runtime.run(chips) - expected).max() < 1e-3


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network's conversion; answers with the chip's first 128 numbers."""

    def build() -> keras.Model:
        chips = keras.Input((112, 112, 3))
        x = keras.layers.Flatten()(chips[:, :1])
        return keras.Model(chips, x[:, :128])

    return converted(build, tmp_path_factory.mktemp("small") / "kept")


@pytest.mark.parametrize("count", [1, 3, 4, 5, 31, 32, 33, 100])
@pytest.mark.parametrize("threads", [1, 3])
def test_every_chip_is_answered_in_its_place(small: Path, count: int, threads: int) -> None:
    random = np.random.default_rng(count)
    chips = random.integers(0, 256, (count, 112, 112, 3), dtype=np.uint8)
    found = OpenVinoRuntime(small, threads=threads).run(chips)
    assert found.dtype == np.float32
    assert np.array_equal(found, chips[:, 0].reshape(count, -1)[:, :128])


def test_memory_stays_flat_over_many_chips_in_batches_of_all_sizes(small: Path) -> None:
    # Given a runtime that has met every size
    runtime = OpenVinoRuntime(small, threads=2)
    chips = np.zeros((64, 112, 112, 3), np.uint8)
    for size in range(1, 65):
        runtime.run(chips[:size])
    before = resident_mb()

    # If some 40 000 more come
    for _ in range(20):
        for size in range(1, 65):
            runtime.run(chips[:size])

    # I expect no more than an allocator's play; one chip of a hundred kept would be 15 MB
    assert resident_mb() - before < 8


def test_bf16_is_near_enough_and_of_length_1(
    encoder: Encoder, chips: Chips, cache_dir: Path
) -> None:
    coarse = open_encoder(
        "dlib_resnet", model_dir=None, cache_dir=cache_dir, device="cpu", precision="bf16"
    )
    found = coarse.encode(chips)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1.0, abs=1e-3)
    assert np.linalg.norm(found - encoder.encode(chips), axis=1).max() < 0.05
