"""Addresses of cameras: any password survives, none is shown."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facetrail.addresses import checked_address, shown
from facetrail.errors import BadSettings

HARD = "p@ss:w/rd%"
HARD_QUOTED = "p%40ss%3Aw%2Frd%25"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("rtsp://10.0.0.12/stream1", "rtsp://10.0.0.12/stream1"),
        ("RTSPS://cam.local:322/a?b=c", "rtsps://cam.local:322/a?b=c"),
        ("https://h", "https://h"),
        ("rtsp://viewer@h/s", "rtsp://viewer@h/s"),
        ("rtsp://:pw@h/s", "rtsp://:pw@h/s"),
        ("rtsp://viewer:@h/s", "rtsp://viewer:@h/s"),
        (f"rtsp://viewer:{HARD}@h:554/s", f"rtsp://viewer:{HARD_QUOTED}@h:554/s"),
        (f"rtsp://viewer:{HARD_QUOTED}@h:554/s", f"rtsp://viewer:{HARD_QUOTED}@h:554/s"),
        ("rtsp://u:a#b?c@h/s", "rtsp://u:a%23b%3Fc@h/s"),
        ("rtsp://u:%E9@h/s", "rtsp://u:%E9@h/s"),  # Latin-1, as an old camera wants it
        ("rtsp://u:pw@[fe80::1]:554/s", "rtsp://u:pw@[fe80::1]:554/s"),
        ("rtsp://h/user=a@b", "rtsp://h/user=a@b"),
        ("webcam:0", "webcam:0"),
    ],
)
def test_an_address_is_made_what_ffmpeg_takes(given: str, expected: str, tmp_path: Path) -> None:
    assert checked_address(given, beside=tmp_path) == expected
    assert checked_address(expected, beside=tmp_path) == expected


@given(st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="/%"), min_size=1))
def test_a_password_may_be_written_as_it_is(password: str) -> None:
    address = checked_address(f"rtsp://viewer:{password}@host:554/s", beside=Path())
    assert unquote(urlsplit(address).password or "") == password
    assert urlsplit(address).hostname == "host"


def test_a_files_path_starts_from_the_folder(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    clip = tmp_path / "clips" / "a yard.mp4"
    clip.touch()
    assert checked_address("clips/a yard.mp4", beside=tmp_path) == str(clip)
    assert checked_address(str(clip), beside=Path("/")) == str(clip)


def test_a_home_folder_is_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.mp4").touch()
    assert checked_address("~/a.mp4", beside=Path("/")) == str(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    ("url", "mend"),
    [
        ("rstp://u:hunter2@h/s", "begins with none of rtsp, rtsps, http, https"),
        ("u:hunter2@rtsp://h/s", "begins with none of rtsp, rtsps, http, https"),
        ("file:///hunter2.mp4", "or the path of a video"),
        ("rtsp//u:hunter2@h/s", "write rtsp://"),
        ("rtsp:/u:hunter2@h/s", "write rtsp://"),
        ("hunter2", "write rtsp://"),
        ("~nobody-of-this-name/hunter2.mp4", "or the path of a video"),
        ("hunter2" * 1000, "or the path of a video"),
        ("rtsp://", "write rtsp://USER:PASSWORD@HOST:PORT/PATH"),
        ("rtsp://u:hunter2@", "write rtsp://USER:PASSWORD@HOST:PORT/PATH"),
        ("rtsp://u:hunter2@h:99999/s", "write rtsp://USER:PASSWORD@HOST:PORT/PATH"),
        ("rtsp://u:hunter2@h:0/s", "write rtsp://USER:PASSWORD@HOST:PORT/PATH"),
        ("rtsp://u:hunter2@a host/s", "write rtsp://USER:PASSWORD@HOST:PORT/PATH"),
        ("rtsp://u:hunter2@10.0.0..12/s", "write rtsp://USER:PASSWORD@HOST:PORT/PATH"),
        (f"rtsp://u:hunter2@{'h' * 64}/s", "write rtsp://USER:PASSWORD@HOST:PORT/PATH"),
        ("http://u:hunter2@[1:2]/s", "write http://USER:PASSWORD@HOST:PORT/PATH"),
        ("rtsp://u:hunter2\ud83d\ude00@h/s", "write rtsp://USER:PASSWORD@HOST:PORT/PATH"),
        ("webcam:hunter2", "write webcam:0"),
        ("webcam:", "write webcam:0"),
    ],
)
def test_what_is_no_address_is_refused_with_the_mend_and_not_shown(
    url: str, mend: str, tmp_path: Path
) -> None:
    with pytest.raises(BadSettings) as caught:
        checked_address(url, beside=tmp_path)
    assert mend in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("rtsp://viewer:hunter2@h:554/hunter2?pw=hunter2", "rtsp://h:554"),
        ("http://h?pw=hunter2@x", "http://h"),
        ("rtsp://u:hunter2@[fe80::1]:554/s", "rtsp://[fe80::1]:554"),
        ("rtsp://h", "rtsp://h"),
        ("webcam:0", "webcam:0"),
        ("/clips/a.mp4", "/clips/a.mp4"),
    ],
)
def test_an_address_is_shown_without_what_may_be_secret(address: str, expected: str) -> None:
    assert shown(address) == expected
