"""`facetrail cameras`: who reads which, whether an address shows a picture, and what is in it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest
import redis
from PIL import Image

from examples.simulator import Simulator
from facetrail.store import Keys
from ingest.faces.face import Picture
from ingest.saying.status import CameraStatus
from ingest.sharing.hosts import Host, say
from tests.cli.conftest import Run
from tests.ingest.clips import moving, passing, write_clip

PASSWORD = "p@ss:w/rd%hunter2"
ONLINE = CameraStatus(
    lost=None,
    fps=4.96,
    clock="rtcp",
    codec="h264",
    size=(1920, 1080),
    waiting=3,
    dropped={"dropped_for_better": 2},
)


@pytest.fixture(scope="module")
def face_clip(tmp_path_factory: pytest.TempPathFactory, astronaut: Picture) -> Path:
    """Four seconds of a face that moves, 15 frames a second."""
    return write_clip(tmp_path_factory.mktemp("clips") / "face.mp4", passing(60, astronaut))


def keep(client: redis.Redis, keys: Keys, camera: str, status: CameraStatus) -> None:
    client.set(keys.camera_status(camera), msgspec.json.encode(status))


def test_each_camera_is_listed_with_who_reads_it_and_how_it_is(
    facetrail: Run, client: redis.Redis, keys: Keys, tmp_path: Path
) -> None:
    # Given a host that reads three of the four cameras of the file, and one that only it knows
    cameras = tmp_path / "cameras.yml"
    urls = "\n".join(f"  {name}: {{url: rtsp://h}}" for name in ("lobby", "yard", "door", "roof"))
    cameras.write_text(f"cameras:\n{urls}\n")
    host = Host(name="box-1-ab", cores=3.5, cameras=("attic", "door", "lobby", "yard"))
    say(client, keys, host, lease_s=60)
    for name in host.cameras:
        client.set(keys.lease(name), host.name)
    keep(client, keys, "lobby", ONLINE)
    keep(client, keys, "yard", msgspec.structs.replace(ONLINE, lost="Connection refused", fps=0.0))
    keep(client, keys, "roof", ONLINE)
    client.hincrby(keys.counters, "dropped_for_better", 7)

    # If they are listed, I expect the states
    done = facetrail("cameras", "list", "--json", FACETRAIL_CAMERAS=str(cameras))
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    rows = {row["camera"]: row for row in found["cameras"]}
    assert {name: row["state"] for name, row in rows.items()} == {
        "attic": "starting",
        "door": "starting",
        "lobby": "online",
        "roof": "not read",
        "yard": "offline",
    }
    assert rows["yard"]["cause"] == "Connection refused"
    assert rows["roof"]["fps"] is None and rows["roof"]["host"] is None
    lobby = {"camera": "lobby", "host": "box-1-ab", "state": "online", "cause": None, "fps": 5.0}
    assert rows["lobby"].items() >= lobby.items()
    assert (rows["lobby"]["clock"], rows["lobby"]["dropped"]) == ("rtcp", ONLINE.dropped)
    assert found["counters"] == {"dropped_for_better": 7}
    assert [one["name"] for one in found["hosts"]] == ["box-1-ab"]

    # and to read them as a table
    shown = facetrail("cameras", "list", FACETRAIL_CAMERAS=str(cameras), COLUMNS="200").stdout
    assert "offline: Connection refused" in shown and "h264 1920x1080" in shown
    assert "since ever: 7 dropped_for_better" in shown
    assert "box-1-ab reads 4, with 3.5 cores for them" in shown


def test_a_list_without_a_file_or_hosts_says_what_to_start(facetrail: Run, tmp_path: Path) -> None:
    done = facetrail("cameras", "list", FACETRAIL_CAMERAS=str(tmp_path / "none.yml"))
    assert done.returncode == 0
    assert "no host reads cameras: start one with `facetrail ingest`" in done.stdout


def test_a_camera_that_shows_a_face_is_described(
    facetrail: Run, rtsp_server: type[Simulator], face_clip: Path, tmp_path: Path
) -> None:
    # Given a camera behind a password
    clips, log = {"lobby": face_clip}, tmp_path / "server.log"
    with rtsp_server(clips, log=log, user="viewer", password=PASSWORD) as server:
        address = re.sub(r"//.*@", "//viewer:{PW}@", server.url("lobby"))
        done = facetrail("cameras", "test", address, "--json", PW=PASSWORD)
        wrong = facetrail("cameras", "test", address, PW=PASSWORD + "x")

    # If it is tested, I expect what it is, and never the password
    assert (done.returncode, done.stderr) == (0, "")
    tested = json.loads(done.stdout)
    assert (tested["codec"], tested["size"]) == ("h264", [640, 360])
    assert (tested["transport"], tested["decoder"]) == ("tcp", "software")
    assert 0 < tested["first_picture_s"] < 30
    assert 5 < tested["fps"] <= 30
    assert len(tested["faces"]) == 1 and 60 < tested["faces"][0] < 200
    assert "viewer" not in done.stdout and "hunter2" not in done.stdout

    # and of a wrong one that it is wrong
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "the camera refused the user or password" in wrong.stderr
    assert wrong.stderr.count("\n") == 1 and "hunter2" not in wrong.stderr


def test_a_file_without_a_face_is_described_for_people(facetrail: Run, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", moving(30))
    done = facetrail("cameras", "test", clip, "--seconds", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{clip}: h264 320x240, decoded by software" in done.stdout
    assert "dated by arrival" in done.stdout and "no face" in done.stdout


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("rtsp://viewer:hunter2@127.0.0.1:9/s", "rtsp://127.0.0.1:9 shows no picture (Connection"),
        ("nowhere.mp4", "url is neither an address nor a file that is there"),
        ("rtsp://viewer:{NOT_SET}@h/s", "{NOT_SET} in the url is not set in the environment"),
        ("mms://viewer:hunter2@h/s", "url begins with none of rtsp, rtsps, http, https"),
    ],
)
def test_an_address_that_shows_nothing_is_one_sentence(
    url: str, sentence: str, facetrail: Run
) -> None:
    done = facetrail("cameras", "test", url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"facetrail: {sentence}") and done.stderr.count("\n") == 1
    assert "hunter2" not in done.stderr


def test_what_is_no_video_is_one_sentence(facetrail: Run, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    done = facetrail("cameras", "test", tmp_path / "text.mp4")
    assert (done.returncode, done.stdout) == (1, "")
    assert "text.mp4 shows no picture (" in done.stderr and done.stderr.count("\n") == 1


def test_a_preview_shows_faces_zones_and_masks(
    facetrail: Run, face_clip: Path, tmp_path: Path
) -> None:
    # Given a camera with a zone and a mask
    cameras = tmp_path / "cameras.yml"
    cameras.write_text(
        f"cameras:\n  lobby:\n    url: {face_clip}\n"
        "    zones: {door: [[0.7, 0.1], [0.95, 0.1], [0.95, 0.9], [0.7, 0.9]]}\n"
        "    masks: [[[0, 0], [0.05, 0], [0.05, 1], [0, 1]]]\n"
    )
    target = tmp_path / "lobby.png"

    # If a preview is saved
    done = facetrail(
        "cameras",
        "preview",
        "lobby",
        "--save",
        target,
        "--seconds",
        "1",
        "--json",
        FACETRAIL_CAMERAS=str(cameras),
    )

    # I expect the face with its scores, and its box and the zone drawn
    assert (done.returncode, done.stderr) == (0, "")
    preview = json.loads(done.stdout)
    assert (preview["camera"], preview["size"]) == ("lobby", [640, 360])
    (face,) = preview["faces"]
    assert face["score"] > 0.5 and 0 < face["quality"] <= 1 and not face["too_small"]
    with Image.open(target) as image:
        assert image.format == "PNG"
        pixels = np.asarray(image.convert("RGB"), np.int16)
    scale = pixels.shape[1] / 640
    x, y, _, height = (side * scale for side in face["box"])
    assert near(pixels, (20, 110, 55), x, y + height / 2)
    assert near(pixels, (0, 150, 230), 0.95 * pixels.shape[1], 0.5 * pixels.shape[0])
    assert near(pixels, (90, 90, 90), 0.05 * pixels.shape[1], 0.5 * pixels.shape[0])


def near(pixels: np.ndarray, colour: tuple[int, int, int], x: float, y: float) -> bool:
    """Whether a pixel of about that colour is about there."""
    around = pixels[round(y) - 6 : round(y) + 7, max(0, round(x) - 6) : round(x) + 7]
    return bool((np.abs(around - np.array(colour)).max(axis=-1) < 30).any())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("roof",), "names no camera 'roof' that is enabled: it has lobby"),
        (("lobby", "--save", "lobby.txt"), "lobby.txt is not called like a picture"),
    ],
)
def test_a_preview_that_can_not_be_is_one_sentence(
    arguments: tuple[str, ...], sentence: str, facetrail: Run, tmp_path: Path
) -> None:
    cameras = tmp_path / "cameras.yml"
    cameras.write_text("cameras:\n  lobby: {url: rtsp://127.0.0.1:9/s}\n")
    done = facetrail("cameras", "preview", *arguments, FACETRAIL_CAMERAS=str(cameras))
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr and done.stderr.count("\n") == 1
