"""The camera file: read with its passwords, refused with the line, the key and the mend."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facetrail.cameras import Camera, filled_in, read_cameras
from facetrail.errors import BadSettings

HARD = "p@ss:w/rd%"
PRINTABLE = st.text(st.characters(exclude_categories=("C",)))

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a camera file; its path."""

    def written(text: str) -> Path:
        path = tmp_path / "cameras.yml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


def only(path: Path, **environment: str) -> Camera:
    (camera,) = read_cameras(path, environment)
    return camera


def refused(path: Path, **environment: str) -> str:
    """The sentence a camera file is refused with, without its path."""
    with pytest.raises(BadSettings) as caught:
        read_cameras(path, environment)
    sentence = str(caught.value)
    assert sentence.startswith(str(path))
    assert "\n" not in sentence
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert "hunter2" not in shown
    return sentence.removeprefix(str(path)).strip()


def test_the_file_of_the_documentation_is_read(write: Write) -> None:
    path = write(
        "defaults: {fps: 4, detect_width: 640, min_face: 50}\n"
        "cameras:\n"
        "  lobby:\n"
        "    url: rtsp://viewer:{LOBBY_PASSWORD}@10.0.0.12/stream1\n"
        "    fps: 5\n"
        "    zones: {door: [[0.1, 0.2], [0.5, 0.2], [0.5, 0.9], [0.1, 0.9]]}\n"
        "  yard: {url: webcam:1, enabled: false}\n"
    )
    lobby = only(path, LOBBY_PASSWORD="hunter2")
    assert (lobby.name, lobby.fps, lobby.detect_width, lobby.min_face) == ("lobby", 5, 640, 50)
    assert lobby.zones == {"door": [(0.1, 0.2), (0.5, 0.2), (0.5, 0.9), (0.1, 0.9)]}
    assert lobby.url.get_secret_value() == "rtsp://viewer:hunter2@10.0.0.12/stream1"


def test_how_a_camera_is_looked_at_is_its_own_or_the_default(write: Write) -> None:
    path = write(
        "defaults: {motion_threshold: 5, schedule: [{days: mon-fri, from: '07:00'}]}\n"
        "cameras:\n"
        "  lobby:\n"
        "    url: rtsp://h\n"
        "    masks: [[[0, 0], [0.5, 0], [0.5, 0.5]]]\n"
        "    tiles: 2\n"
    )
    lobby = only(path)
    assert (lobby.motion, lobby.motion_threshold, lobby.tiles) == (True, 5, 2)
    assert lobby.masks == [[(0, 0), (0.5, 0), (0.5, 0.5)]]
    assert [(one.days, one.begin, one.until) for one in lobby.schedule] == [
        ("mon-fri", "07:00", "24:00")
    ]
    assert Camera.model_validate(lobby.with_secrets()) == lobby


def test_a_camera_never_shows_its_url(write: Write) -> None:
    camera = only(write("cameras:\n  a:\n    url: rtsp://u:hunter2@h/s\n"))
    assert "hunter2" not in f"{camera} {camera!r} {camera.model_dump()} {camera.model_dump_json()}"


@given(user=PRINTABLE, password=PRINTABLE)
def test_any_user_and_password_of_the_environment_survive(user: str, password: str) -> None:
    url = filled_in("rtsp://{USER}:{PW}@h:554/s", {"USER": user, "PW": password})
    parts = urlsplit(url)
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == (user, password)
    assert (parts.hostname, parts.port, parts.path) == ("h", 554, "/s")


@pytest.mark.parametrize("url", ["rtsp://u:{PW}@h/s", f"rtsp://u:{HARD}@h/s"])
def test_a_password_of_special_signs_is_quoted_once(url: str, write: Write) -> None:
    camera = only(write(f"cameras:\n  a:\n    url: {json.dumps(url)}\n"), PW=HARD)
    assert camera.url.get_secret_value() == "rtsp://u:p%40ss%3Aw%2Frd%25@h/s"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("'{URL}'", "rtsp://u:a%20b@h/s"),
        ("rtsp://u:pw@{HOST}/{PATH}", "rtsp://u:pw@10.0.0.12:554/live/1"),
        ("rtsp://h/s?pw={PW}", "rtsp://h/s?pw=a%20b"),
        ("rtsp://u:{BYTES}@h/s", "rtsp://u:%E9@h/s"),
    ],
)
def test_any_part_may_come_from_the_environment(url: str, expected: str, write: Write) -> None:
    environment = {
        "URL": "rtsp://u:a b@h/s",
        "HOST": "10.0.0.12:554",
        "PATH": "live/1",
        "PW": "a b",
        "BYTES": "\udce9",  # how Python gives a byte that is not UTF-8
    }
    camera = only(write(f"cameras:\n  a:\n    url: {url}\n"), **environment)
    assert camera.url.get_secret_value() == expected


def test_a_files_path_starts_from_the_camera_file(write: Write, tmp_path: Path) -> None:
    clip = tmp_path / "my clips" / "a%20b.mp4"
    clip.parent.mkdir()
    clip.touch()
    text = "cameras:\n  a: {url: my clips/a%20b.mp4}\n  b:\n    url: '{CLIPS}/a%20b.mp4'\n"
    cameras = read_cameras(write(text), {"CLIPS": str(clip.parent)})
    assert [camera.url.get_secret_value() for camera in cameras] == [str(clip)] * 2


ONE = "cameras:\n  a:\n    url: rtsp://h\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (ONE + "    fsp: 5\n", "line 4: cameras.a.fsp is not a known key; did you mean 'fps'?"),
        (
            ONE.replace("url", "ulr"),
            "line 3: cameras.a.ulr is not a known key; did you mean 'url'?",
        ),
        (ONE + "    colour: 5\n", "known are fps, detect_width, min_face, "),
        (ONE + "default: {}\n", "line 4: default is not a known key; did you mean 'defaults'?"),
        ("defaults: {url: x}\n" + ONE, "line 1: defaults.url is not a known key; known are fps"),
        ("camera:\n  a:\n    url: rtsp://h\n", "line 1: camera is not a known key; did you mean"),
        ("defaults: {}\n", "line 1: cameras is missing; add it"),
        ("cameras:\n  a:\n    fps: 5\n", "line 2: cameras.a.url is missing; add it"),
        ("cameras:\n  a:\n", "line 2: cameras.a can't be used: expected keys"),
        ("cameras: {}\n", "names no camera that is enabled: add one under 'cameras'"),
        ("", "needs a key 'cameras', below it a camera's name and its url"),
        ("# nothing\n", "needs a key 'cameras'"),
        ("rtsp://u:hunter2@h/s\n", "needs a key 'cameras'"),
        (ONE.replace("a:", "the a:"), "line 2: cameras.the a can't be used: a camera's name has"),
        (ONE.replace("a:", "12:"), "line 2: a key is read as something other than text; quote it"),
        (ONE.replace("a:", "on:"), "line 2: a key is read as something other than text; quote it"),
        (ONE + "  a: {url: rtsp://g}\n", "line 4: a was there before, in line 2"),
        (ONE + "    fps: 0\n", "line 4: cameras.a.fps can't be used: Input should be greater than"),
        (ONE + "    fps: .nan\n", "line 4: cameras.a.fps can't be used"),
        ("defaults: {fps: many}\n" + ONE, "line 1: defaults.fps can't be used: Input should be a"),
        (
            ONE + "    zones: {door: [[0, 0], [1.5, 0], [1, 1]]}\n",
            "line 4: cameras.a.zones.door.1.0 can't be used: Input should be less than or equal",
        ),
        (
            ONE + "    zones:\n      door: [[0, 0], [1, 1]]\n",
            "line 5: cameras.a.zones.door can't be used: List should have at least 3 items",
        ),
        (ONE + "    zones: {'': [[0, 0], [1, 0], [1, 1]]}\n", "line 4: cameras.a.zones"),
        (
            ONE + "    masks:\n    - [[0, 0], [1, 0], [1, 1]]\n    - [[0, 0], [1, 1]]\n",
            "line 6: cameras.a.masks.1 can't be used: List should have at least 3 items",
        ),
        (ONE + "    tiles: 4\n", "line 4: cameras.a.tiles can't be used: Input should be less"),
        (ONE + "    min_quality: 2\n", "line 4: cameras.a.min_quality can't be used: Input"),
        (
            ONE + "    schedule: [{from: 19:00}]\n",
            "line 4: cameras.a.schedule.0.from can't be used: write the time in quotes, as in",
        ),
        (
            ONE + "    schedule:\n    - {days: mon-fri}\n    - {days: mun}\n",
            "line 6: cameras.a.schedule.1.days can't be used: expected days such as mon-fri",
        ),
        (
            ONE + "    schedule: [{form: '07:00'}]\n",
            "line 4: cameras.a.schedule.0.form is not a known key; did you mean 'from'?",
        ),
        (
            "defaults: {schedule: [{hours: 3}]}\n" + ONE,
            "line 1: defaults.schedule.0.hours is not a known key; known are days, from, until",
        ),
        (
            ONE.replace("h", "u:{PW}@h/s"),
            "line 3: camera a: {PW} in the url is not set in the environment: set that variable",
        ),
        (ONE.replace("h", "u:a{hunter2}b@h"), "%7B and %7D for braces that belong to a password"),
        (ONE.replace("rtsp://h", "rstp://u:hunter2@h/s"), "line 3: camera a: url begins with none"),
        (
            ONE.replace("rtsp://h", "a.mp4"),
            "line 3: camera a: url is neither an address nor a file",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line_and_the_mend(
    text: str, sentence: str, write: Write
) -> None:
    assert sentence in refused(write(text))


def test_a_placeholder_in_a_flow_mapping_is_told_to_be_quoted(write: Write) -> None:
    assert refused(write("cameras:\n  lobby: {url: rtsp://u:{PW}@h/s}\n"), PW="hunter2") == (
        "line 2 is not YAML: expected ',' or '}', but got ':'; "
        "put what holds special signs into quotes, as in url: 'rtsp://…'"
    )


@pytest.mark.parametrize(
    "line",
    [
        "url: {hunter2}",
        "url: *hunter2",
        "url: !hunter2 x",
        "url: !!hunter2 x",
        "url: &hunter2",
        "url: %hunter2",
        "url: @hunter2",
        "url: `hunter2`",
        'url: "rtsp://u:\\hunter2@h/s"',
        'url: "rtsp://u:hunter2@h/s',
        "url: rtsp://u:hunter2: x@h/s",
        "url: rtsp://u:x #hunter2@h/s",
        "url: [rtsp://u:hunter2@h/s]",
        "rtsp://u:hunter2@h/s: url",
        "rtsp://u:hunter2@h/s",
        "url=rtsp://u:hunter2@h/s: x",
        "{url: rtsp://u:x,hunter2@h/s}",
        "? [hunter2]",
        "url: 2020-13-45",
        "url: \x01hunter2",
        "\turl: rtsp://u:hunter2@h/s",
        "url: rtsp://h\n    zones: hunter2",
        "url: rtsp://h\n    fps: hunter2",
        "url: rtsp://h\n    fps: rtsp://u:hunter2@h",
        "<<: *hunter2",
        "a: &a [*a, hunter2]",
        "url: " + "[" * 500,
    ],
)
def test_no_mistake_shows_a_password(line: str, write: Write) -> None:
    for text in (f"cameras:\n  a:\n    {line}\n", f"cameras:\n  {line}\n", f"{line}\n"):
        assert refused(write(text))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert refused(tmp_path / "no.yml") == (
        "can't be read (No such file or directory): write a camera file, or name one with "
        "--cameras or FACETRAIL_CAMERAS"
    )


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cameras.yml"
    path.write_bytes(b"\xff\xfe\x00hunter2")
    assert refused(path).startswith("is not YAML (UnicodeDecodeError)")


def test_a_substream_is_read_instead_and_is_as_secret(write: Write) -> None:
    camera = only(
        write(
            "cameras:\n  lobby:\n    url: rtsp://u:{PW}@h/main\n"
            "    substream: rtsp://u:{PW}@h/sub\n    transport: udp\n    keyframes_only: true\n"
        ),
        PW="hunter2",
    )
    assert camera.read_url.get_secret_value() == "rtsp://u:hunter2@h/sub"
    assert camera.url.get_secret_value() == "rtsp://u:hunter2@h/main"
    assert (camera.transport, camera.hwaccel, camera.keyframes_only) == ("udp", "auto", True)
    assert "hunter2" not in repr(camera) + camera.model_dump_json()
    told = json.loads(json.dumps(camera.with_secrets()))
    assert Camera.model_validate(told) == camera


def test_without_a_substream_the_url_is_read(write: Write) -> None:
    camera = only(write("cameras: {lobby: {url: 'rtsp://u:hunter2@h/main'}}\n"))
    assert camera.read_url == camera.url
    assert Camera.model_validate(camera.with_secrets()) == camera


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("transport: quic", "line 4: cameras.lobby.transport can't be used: Input should be 'tcp'"),
        ("hwaccel: gpu", "line 4: cameras.lobby.hwaccel can't be used: Input should be 'auto'"),
        ("keyframes_only: 2", "line 4: cameras.lobby.keyframes_only can't be used"),
        ("substream: ftp://u:hunter2@h", "line 4: camera lobby: substream: url begins with none"),
        ("substream: 'rtsp://u:{PW}@h'", "line 4: camera lobby: substream: {PW} in the url is not"),
        ("substream: ''", "line 4: camera lobby: substream: url is neither"),
        ("sub_stream: rtsp://h", "is not a known key; did you mean 'substream'?"),
    ],
)
def test_how_a_camera_is_read_is_refused_with_its_line(
    line: str, sentence: str, write: Write
) -> None:
    assert sentence in refused(write(f"cameras:\n  lobby:\n    url: rtsp://h/s\n    {line}\n"))
