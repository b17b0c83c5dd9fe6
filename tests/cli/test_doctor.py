"""`facetrail doctor` finds what is wrong with real servers and files, and says what to do."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import redis
from typer.testing import CliRunner

from examples.simulator import Simulator
from facetrail.cameras import Camera, read_cameras
from facetrail.cli import doctor_cameras, doctor_clock, doctor_gpu, doctor_redis
from facetrail.cli.app import app
from facetrail.cli.doctor import guarded
from facetrail.cli.doctor_cameras import NotBegun, _fault, _opened
from facetrail.cli.finding import Finding, good
from facetrail.settings import read_settings
from facetrail.store import Keys
from ingest.reading.hardware import AUTO, missing
from ingest.saying.status import CameraStatus
from tests.cli.conftest import Run
from tests.ingest.clips import moving, write_clip
from tests.redis_server import redis_server, with_users
from workers.encoders.registry import entry_of

SECRET = "p@ss:w/rd%hunter2"
WaitFor = Callable[..., None]
#: The exit status and what was found, of a command with these arguments and variables.
Doctor = Callable[..., tuple[int, list[Finding]]]


@pytest.fixture
def doctor(environment: dict[str, str], redis_url: str, tmp_path: Path) -> Doctor:
    """`doctor("--no-cameras", VARIABLE="value")`, in this process and on an empty folder."""

    def run(*arguments: str, **variables: str) -> tuple[int, list[Finding]]:
        own = {
            "FACETRAIL_REDIS_URL": redis_url,
            "FACETRAIL_MODEL_DIR": str(tmp_path),
            "FACETRAIL_ENCODER_DEVICE": "cpu",
        }
        given = environment | own | variables
        shown = CliRunner().invoke(app, ["doctor", "--json", *arguments], env=given)
        assert shown.stderr == "" and isinstance(shown.exception, SystemExit | None)
        assert "hunter2" not in shown.stdout
        lines = shown.stdout.splitlines()
        return shown.exit_code, [msgspec.json.decode(line, type=Finding) for line in lines]

    return run


def of(check: str, findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.check == check]


@pytest.fixture(scope="module")
def careless(tmp_path_factory: pytest.TempPathFactory, wait_for: WaitFor) -> Iterator[int]:
    """A Redis that is set up to lose what it is given."""
    options = ("appendonly no", "maxmemory-policy allkeys-lru")
    with redis_server(tmp_path_factory.mktemp("careless"), wait_for, *options) as port:
        yield port


@pytest.fixture(scope="module")
def guarded_port(tmp_path_factory: pytest.TempPathFactory, wait_for: WaitFor) -> Iterator[int]:
    """A Redis with the users of the file."""
    folder = tmp_path_factory.mktemp("guarded")
    with redis_server(folder, wait_for, "appendonly yes", with_users(folder)) as port:
        yield port


def test_where_all_is_well_each_check_says_so_and_the_status_is_0(
    facetrail: Run, tmp_path: Path
) -> None:
    # Given a Redis that keeps all, the encoder's and detector's files, and a clip as a camera
    write_clip(tmp_path / "clip.mp4", moving(15))
    cameras = tmp_path / "cameras.yml"
    cameras.write_text("cameras: {lobby: {url: clip.mp4}}")

    # If it is looked at, I expect nothing but good findings, as JSON and nothing else
    own = {"FACETRAIL_CAMERAS": str(cameras), "FACETRAIL_ENCODER_DEVICE": "cpu"}
    done = facetrail("doctor", "--json", **own)
    assert (done.returncode, done.stderr) == (0, "")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    checks = dict.fromkeys(one["check"] for one in found)
    assert list(checks) == ["redis", "clock", "models", "cameras", "gpu"]
    assert all((one["level"], one["mend"]) == ("good", None) for one in found)
    said = " | ".join(one["says"] for one in found)
    assert "answers in" in said and "lobby shows h264 320x240" in said
    assert "the encoder dlib_resnet@55533b28 serves" in said


def test_a_redis_that_loses_what_it_is_given_is_told_for_people(
    facetrail: Run, careless: int
) -> None:
    # Given a Redis without an append-only file, which deletes when it is full
    url = f"redis://127.0.0.1:{careless}/0"
    own = {"FACETRAIL_REDIS_URL": url, "FACETRAIL_ENCODER_DEVICE": "cpu"}
    done = facetrail("doctor", "--no-cameras", **own)

    # I expect a line for each of the two, the mend beneath, and status 1
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    told = [place for place, line in enumerate(lines) if line.startswith("bad      redis: ")]
    assert [lines[place + 1] for place in told] == [
        "         set `appendonly yes`",
        "         set `maxmemory-policy noeviction`",
    ]
    assert lines[-1].startswith("2 bad, 0 to look at, ")
    assert not [line for line in lines if " cameras: " in line]


@pytest.mark.parametrize(
    ("options", "level", "words"),
    [
        (
            {"appendfsync": "everysec"},
            "good",
            "costs up to two seconds (appendfsync everysec), and so may a kill",
        ),
        ({"appendfsync": "always"}, "good", "no kill of Redis costs anything"),
        ({"appendfsync": "no"}, "warning", "may cost the last half minute"),
        ({"maxmemory": 1.5}, "good", "answers in"),
        ({"maxmemory": 1.05}, "warning", "of the memory it may"),
    ],
    ids=str,
)
def test_how_redis_writes_and_whether_it_is_full_is_told(
    options: dict[str, object], level: str, words: str, careless: int
) -> None:
    # Given a Redis set so; maxmemory: times what it uses
    with redis.Redis(port=careless) as client:
        usual: dict[str, object] = {"appendonly": "yes", "appendfsync": "everysec"}
        try:
            for name, value in (usual | options).items():
                if isinstance(value, float):
                    value = int(value * int(client.info("memory")["used_memory"]))
                client.config_set(name, str(value))
            found = list(doctor_redis.findings(client))
        finally:
            for name, value in (usual | {"appendonly": "no", "maxmemory": 0}).items():
                client.config_set(name, str(value))
    (one,) = [finding for finding in found if words in finding.says]
    assert one.level == level
    assert [finding for finding in found if finding.level == "warning"] == [one] * (
        level == "warning"
    )


@pytest.mark.parametrize(
    ("version", "old"), [("6.0.16", True), ("5.0", True), ("6.2.14", False), ("7.0.0", False)]
)
def test_a_redis_without_blmove_is_too_old(version: str, old: bool) -> None:
    assert doctor_redis.is_too_old(version) is old


@pytest.mark.parametrize(
    ("user", "refused"),
    [
        ("ingest", {"redis": "may not read appendfsync", "models": "could not be asked"}),
        ("subscriber", {"redis": "does not let this user ask", "clock": "may not ask Redis what"}),
    ],
)
def test_what_a_user_may_not_ask_is_told_and_all_else_is_looked_at(
    user: str, refused: dict[str, str], doctor: Doctor, guarded_port: int
) -> None:
    url = f"redis://{user}:{user}-secret@127.0.0.1:{guarded_port}/0"
    status, found = doctor("--no-cameras", FACETRAIL_REDIS_URL=url)
    assert status == 0
    for check, words in refused.items():
        assert words in " | ".join(one.says for one in of(check, found))
    assert {one.check for one in found} == {"redis", "clock", "models", "gpu"}


@pytest.mark.parametrize("login", ["worker:hunter2", ":hunter2"])
def test_a_wrong_password_is_told_and_not_shown(
    login: str, doctor: Doctor, guarded_port: int
) -> None:
    url = f"redis://{login}@127.0.0.1:{guarded_port}/0"
    status, found = doctor("--no-cameras", FACETRAIL_REDIS_URL=url)
    (one,) = of("redis", found)
    assert (status, one.level) == (1, "bad")
    assert f"127.0.0.1:{guarded_port} refuses the user or password" in one.says
    assert "mend them in FACETRAIL_REDIS_URL" in (one.mend or "")


@pytest.mark.parametrize(
    ("url", "level", "words", "mend"),
    [
        ("", "warning", "FACETRAIL_REDIS_URL is not set", "start `facetrail up`"),
        ("redis://u:hunter2@127.0.0.1:9/0", "bad", "does not answer (", "start it, or name"),
        ("redis://u:hunter2@x..y/0", "bad", "Redis at x..y", "FACETRAIL_REDIS_URL"),
        ("nonsense:hunter2", "bad", "FACETRAIL_REDIS_URL can't be used", "expected redis://"),
    ],
    ids=["none", "away", "no host", "no address"],
)
def test_without_a_redis_all_else_is_looked_at(
    url: str, level: str, words: str, mend: str, doctor: Doctor
) -> None:
    status, found = doctor(FACETRAIL_REDIS_URL=url)
    (one,), (clock,) = of("redis", found), of("clock", found)
    assert (status, one.level) == (int(level == "bad"), level)
    assert words in one.says and mend in (one.mend or "")
    assert clock.level == "warning" and "no Redis to ask" in clock.says
    assert {finding.level for finding in found if finding.check not in ("redis", "clock")} == {
        "good"
    }


@pytest.mark.parametrize(
    ("ahead", "level", "words"),
    [
        (0.0, "good", "differ by"),
        (2.0, "warning", "2 s ahead of Redis's"),
        (-700.0, "bad", "set those of other hosts aside as from the future"),
        (-45.0, "bad", "45 s behind Redis's: chips of its cameras are skipped as too old"),
        (45.0, "bad", "workers here skip chips of other hosts as too old"),
        (700.0, "bad", "set aside elsewhere as from the future"),
    ],
)
def test_a_clock_that_differs_from_rediss_is_told(
    ahead: float, level: str, words: str, client: redis.Redis
) -> None:
    # Given a host whose clock is wrong by so much
    (one,) = doctor_clock.findings(client, 30.0, now=lambda: time.time() + ahead)

    # I expect what comes of it, and NTP as the mend
    assert one.level == level and words in one.says
    assert (one.mend is None) == (level == "good")
    assert ("future" in one.says) == (abs(ahead) > 600)


def test_files_of_models_that_are_missing_have_the_command_that_fetches_them(
    doctor: Doctor, tmp_path: Path
) -> None:
    wanted = {"FACETRAIL_ENCODER": "retail0095", "FACETRAIL_DETECTOR": "yunet"}
    cache = str(tmp_path / "cache")
    status, found = doctor("--no-cameras", FACETRAIL_CACHE_DIR=cache, **wanted)
    encoder, detector = of("models", found)
    assert (status, encoder.level, detector.level) == (1, "bad", "bad")
    assert "face-reidentification-retail-0095.bin is not on this machine" in encoder.says
    assert (encoder.mend or "").startswith("run `facetrail models fetch retail0095`")
    assert (detector.mend or "").startswith("run `facetrail models fetch yunet`")


def test_a_file_that_was_cut_and_a_folder_that_can_be_none_are_told(
    doctor: Doctor, tmp_path: Path
) -> None:
    (tmp_path / "dlib_face_recognition_resnet_model_v1.dat").write_bytes(b"cut")
    _, found = doctor("--no-cameras")
    encoder, detector = of("models", found)
    assert encoder.level == "bad" and "is cut short" in encoder.says
    assert detector.level == "good" and "at cameras and in photos" in detector.says

    status, found = doctor("--no-cameras", FACETRAIL_MODEL_DIR="x" * 300)
    (one,) = of("models", found)
    assert (status, one.level) == (1, "bad") and "(File name too long)" in one.says


def test_an_encoder_that_is_not_the_gallerys_is_told(
    doctor: Doctor, client: redis.Redis, keys: Keys
) -> None:
    # Given a gallery of another encoder than the operator's
    client.set(keys.gallery_encoder, entry_of("nn4_small2").id)
    status, found = doctor("--no-cameras")
    encoder = of("models", found)[0]
    assert (status, encoder.level) == (1, "bad")
    assert "FACETRAIL_ENCODER=dlib_resnet, but the gallery belongs to" in encoder.says
    assert "facetrail people re-encode" in (encoder.mend or "")

    # and of the gallery's own, that it may serve for research only
    status, found = doctor("--no-cameras", FACETRAIL_ENCODER="nn4_small2")
    encoder = of("models", found)[0]
    assert (status, encoder.level) == (0, "warning")
    assert "for research only" in encoder.says
    assert "re-encode --encoder retail0095" in (encoder.mend or "")


def test_each_camera_is_opened_and_no_password_is_shown(
    doctor: Doctor,
    client: redis.Redis,
    keys: Keys,
    rtsp_server: type[Simulator],
    tmp_path: Path,
) -> None:
    # Given a camera that shows a picture, two that don't answer, of which a host reads one, one
    # with nothing at its path, one whose decoder is not here, and one that is not enabled
    clip = write_clip(tmp_path / "clip.mp4", moving(30))
    client.set(keys.lease("door"), "box-1-ab")
    reads = CameraStatus(
        lost=None, fps=5.0, clock="rtcp", codec="h264", size=(320, 240), waiting=0, dropped={}
    )
    client.set(keys.camera_status("door"), msgspec.json.encode(reads))
    device = next((device for device in AUTO if missing(device)), None)
    if device is None:
        pytest.skip("this machine has every decoder")
    away = "rtsp://viewer:{PW}@127.0.0.1:9/s"
    with rtsp_server({"lobby": clip}, log=tmp_path / "rtsp.log") as cameras:
        urls = {
            "yard": away,
            "lobby": cameras.url("lobby").replace("//", "//viewer:{PW}@"),
            "roof": cameras.url("nothing"),
            "door": away,
        }
        file = tmp_path / "cameras.yml"
        file.write_text(
            "cameras:\n"
            + "".join(f"  {name}: {{url: '{url}'}}\n" for name, url in urls.items())
            + f"  cellar: {{url: clip.mp4, hwaccel: {device}}}\n"
            + "  attic: {url: nowhere.mp4, enabled: false}\n"
        )
        status, found = doctor(FACETRAIL_CAMERAS=str(file), PW=SECRET)

    # I expect a finding for each that is enabled, in their order
    assert status == 1
    yard, lobby, roof, door, cellar = of("cameras", found)
    assert [one.level for one in (yard, lobby, roof, door)] == ["bad", "good", "bad", "warning"]
    assert yard.says == "yard: rtsp://127.0.0.1:9 shows no picture (Connection refused)"
    assert "mend the address, the password or the camera" in (yard.mend or "")
    assert "lobby shows h264 320x240 over tcp, the first picture after" in lobby.says
    assert "nothing at the path of its url (404)" in roof.says
    assert "Connection refused" in door.says and "while box-1-ab reads it" in door.says
    assert cellar.level == "warning" and f"{device} can't be used here" in cellar.says


@pytest.fixture
def silent_and_clip(tmp_path: Path) -> Iterator[tuple[Camera, ...]]:
    """A camera that takes the connection and stays silent, and a clip."""
    write_clip(tmp_path / "clip.mp4", moving(15))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        file = tmp_path / "cameras.yml"
        url = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/s"
        file.write_text(f"cameras: {{gate: {{url: '{url}'}}, hall: {{url: clip.mp4}}}}")
        yield tuple(read_cameras(file))


def test_a_camera_that_hangs_holds_up_no_other_and_not_for_long(
    silent_and_clip: tuple[Camera, ...],
) -> None:
    # If the time for both is up, I expect the one to be late, and the picture of the other
    began = time.monotonic()
    gate, hall = _opened(silent_and_clip, limit_s=3.0)
    assert isinstance(gate, TimeoutError) and not isinstance(hall, Exception)
    assert time.monotonic() - began < 10.0


def test_a_camera_whose_turn_never_came_is_told_so(
    silent_and_clip: tuple[Camera, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given room for one at a time
    monkeypatch.setattr(doctor_cameras, "AT_ONCE", 1)
    _, hall = _opened(silent_and_clip, limit_s=0.2)
    assert isinstance(hall, NotBegun)
    told = _fault(silent_and_clip[1], hall)
    assert told.level == "warning" and "hall was not looked at" in told.says


def test_a_camera_file_is_told_that_is_not_there_or_wrong(doctor: Doctor, tmp_path: Path) -> None:
    file = tmp_path / "mine.yml"
    status, found = doctor(FACETRAIL_CAMERAS=str(file))
    (one,) = of("cameras", found)
    assert (status, one.level) == (0, "warning") and "this host reads no cameras" in one.says

    file.write_text("cameras:\n  gate:\n    url: rtsp://viewer:hunter2@h/s\n    fpss: 3\n")
    status, found = doctor(FACETRAIL_CAMERAS=str(file))
    (one,) = of("cameras", found)
    assert (status, one.level, one.mend) == (1, "bad", f"mend {file}")
    assert "line 4" in one.says and "did you mean 'fps'" in one.says


def test_a_host_without_cameras_is_good_unless_it_was_told_of_some(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, found = doctor()
    (one,) = of("cameras", found)
    assert (status, one.level) == (0, "good") and "reads no cameras" in one.says


def test_a_gpu_that_tensorflow_does_not_see_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Given a driver that names a GPU, and a TensorFlow without CUDA
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 'NVIDIA T4'\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "99")  # else none is seen only where none is
    monkeypatch.setenv("FACETRAIL_ENCODER_DEVICE", "auto")

    # I expect a warning with the extra that brings it
    (one,) = doctor_gpu.findings(read_settings())
    assert one.level == "warning" and "sees no GPU, though there is one (NVIDIA T4)" in one.says
    assert "pip install -c constraints.txt -e '.[gpu]'" in (one.mend or "")

    # and nothing to mend where a CPU is wanted, or the driver fails since there is none
    monkeypatch.setenv("FACETRAIL_ENCODER_DEVICE", "cpu")
    (one,) = doctor_gpu.findings(read_settings())
    assert one.level == "good" and "not on the GPU (NVIDIA T4)" in one.says
    monkeypatch.setenv("FACETRAIL_ENCODER_DEVICE", "auto")
    monkeypatch.setattr(doctor_gpu, "NVIDIA", tmp_path / "none")
    smi.write_text('#!/bin/sh\necho "NVIDIA-SMI has failed"; exit 9\n')
    (one,) = doctor_gpu.findings(read_settings())
    assert one.level == "good" and "there is no NVIDIA GPU here" in one.says


def test_a_gpu_that_is_wanted_and_not_there_is_bad(doctor: Doctor) -> None:
    own = {"FACETRAIL_ENCODER_DEVICE": "gpu", "CUDA_VISIBLE_DEVICES": "99"}
    status, found = doctor("--no-cameras", **own)
    (one,) = of("gpu", found)
    assert (status, one.level) == (1, "bad")
    assert "FACETRAIL_ENCODER_DEVICE=gpu, but TensorFlow sees no GPU" in one.says
    assert "FACETRAIL_ENCODER_DEVICE=cpu" in (one.mend or "")


@pytest.mark.parametrize("name", ["mine.onnx", "mine.onnx+mirrored"])
def test_an_onnx_encoder_needs_no_gpu_also_where_one_is_wanted(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACETRAIL_ENCODER_DEVICE", "gpu")
    monkeypatch.setenv("FACETRAIL_ENCODER", name)
    (one,) = doctor_gpu.findings(read_settings())
    assert one.level == "good" and "runs on the CPU" in one.says


def test_a_check_that_breaks_off_is_a_finding_without_the_errors_words() -> None:
    def broken() -> Iterator[Finding]:
        yield good("redis", "one")
        raise KeyError("redis://u:hunter2@h")

    first, last = guarded("redis", broken)
    assert first.level == "good"
    assert last.level == "bad" and "KeyError, test_doctor.py line " in last.says
    assert "hunter2" not in last.says
