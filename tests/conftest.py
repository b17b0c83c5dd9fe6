"""What the tests stand on: a real Redis, real models, real faces."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import matplotlib
import numpy as np
import pytest
import redis
import skimage.data

from examples import simulator
from facetrail.embedded_redis import EmbeddedRedis
from facetrail.store import Keys, connect
from facetrail.wire import Chips, Encoder
from ingest.faces.align import align
from ingest.faces.detect import open_detector
from ingest.faces.face import Detector, Picture
from tests.facetrail.zoo import Zoo
from tests.workers.encoders.onnx_writer import averages_times
from training.faces import read_photo
from workers.encoders.registry import open_encoder

PAUSE_S = 0.01


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis, for the whole run."""
    server = EmbeddedRedis(tmp_path_factory.mktemp("redis"))
    yield server.start()
    server.stop()


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """A client of an empty Redis."""
    found = connect(redis_url)
    found.flushdb()
    yield found
    found.close()


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Faces and clips of real people, which lie outside the repository."""
    return _folder_of("FACETRAIL_TEST_DATA")


@pytest.fixture(scope="session")
def model_dir() -> Path:
    """Model files that come with no package."""
    return _folder_of("FACETRAIL_MODEL_DIR")


def _folder_of(variable: str) -> Path:
    """The folder a variable names. Missing one skips here and fails in CI."""
    value = os.environ.get(variable, "")
    if value and Path(value).is_dir():
        return Path(value)
    miss(f"{variable}={value!r} names no folder; this test needs what lies there")


def miss(sentence: str) -> NoReturn:
    """What a test needs is not there: skips at home and fails in CI."""
    if os.environ.get("CI"):
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest.fixture
def zoo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Zoo]:
    """A server of one model file."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Zoo() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A user's own encoder, of averages of squares."""
    path = tmp_path / "mine.onnx"
    path.write_bytes(averages_times(np.eye(192, 128, dtype=np.float32), shape=("n", 3, 112, 112)))
    path.with_suffix(".yml").write_text("threshold: 0.5\nmargin: 0.1\nlayout: nchw\n")
    return path


@pytest.fixture(scope="session")
def rtsp_server() -> type[simulator.Simulator]:
    """GStreamer's RTSP server. A missing one skips here and fails in CI."""
    if not simulator.available():
        miss("GStreamer's RTSP server is not there; deploy/set_up.sh installs it as root")
    return simulator.Simulator


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where encoders are converted to, once for all processes of a run."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    (shared / "cache").mkdir(exist_ok=True)
    return shared / "cache"


@pytest.fixture(scope="session")
def encoder(cache_dir: Path) -> Encoder:
    """dlib_resnet, which every machine has."""
    return open_encoder("dlib_resnet", model_dir=None, cache_dir=cache_dir, device="cpu")


@pytest.fixture(scope="session")
def detector(cache_dir: Path) -> Detector:
    """CenterFace, which every machine has."""
    return open_detector("centerface", model_dir=None, cache_dir=cache_dir)


@pytest.fixture(scope="session")
def wait_for() -> Callable[..., None]:
    """`wait_for(condition, timeout_s=10)` polls until the condition holds."""

    def wait(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"waited {timeout_s:.1f} s in vain")
            time.sleep(PAUSE_S)

    return wait


@pytest.fixture(scope="session")
def astronaut() -> Picture:
    """512x512; the face is about 120 pixels high, around (225, 118)."""
    return np.asarray(skimage.data.astronaut(), np.uint8)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="session")
def hopper() -> Picture:
    """512 wide, 600 high; the face is about 205 pixels high, around (266, 234)."""
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return read_photo(path)


@pytest.fixture(scope="session")
def chips(detector: Detector, astronaut: Picture, hopper: Picture) -> Chips:
    """Five chips: two people, each also mirrored, and noise."""
    found = [
        align(picture, detector.detect(picture)[0].landmarks) for picture in (astronaut, hopper)
    ]
    noise = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    mirrored = [chip[:, ::-1] for chip in found if chip is not None]
    return np.stack([chip for chip in (*found, *mirrored, noise) if chip is not None])
