"""How an encoder is run: converted once, then without TensorFlow; the same on both."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facetrail.errors import BadSettings
from facetrail.wire import Chips, Encoder
from workers.encoders.registry import entry_of, open_encoder
from workers.encoders.runtime import TensorFlowRuntime, converted

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
    def export(self, path: str, **_: object) -> None:
        Path(path).write_text("half of it")
        raise OSError(28, "No space left on device")


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


def test_a_conversion_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        converted(BadNetwork, tmp_path / "kept")
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
    for count in (5, 1, 3):  # filled up to 8, 1 and 4
        found = runtime.run(chips[:count])
        assert (found.shape, found.dtype) == ((count, 128), np.dtype("float32"))
        assert np.abs(found - expected[:count]).max() < 1e-5


def test_bf16_is_near_enough_and_of_length_1(
    encoder: Encoder, chips: Chips, cache_dir: Path
) -> None:
    coarse = open_encoder(
        "dlib_resnet", model_dir=None, cache_dir=cache_dir, device="cpu", precision="bf16"
    )
    found = coarse.encode(chips)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1.0, abs=1e-3)
    assert np.linalg.norm(found - encoder.encode(chips), axis=1).max() < 0.05
