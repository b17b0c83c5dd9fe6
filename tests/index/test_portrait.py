"""Files become pictures, or one sentence says why not."""

from __future__ import annotations

import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facetrail.errors import BadPicture, BadSettings
from index.photos.portrait import (
    MOST_BYTES,
    count_deeper,
    decoded,
    folders_of,
    photos_in,
    portrait,
    read,
)
from ingest.faces.face import Detector, Face, Picture

NAME = Path("somebody.jpg")


@pytest.fixture(scope="session")
def made(hopper: Picture) -> Callable[..., bytes]:
    """`made("PNG", mode="L")`: a picture as a file of that kind."""

    def write(kind: str, mode: str = "RGB", **options: object) -> bytes:
        file = BytesIO()
        Image.fromarray(hopper).convert(mode).save(file, kind, **options)
        return file.getvalue()

    return write


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("JPEG", "RGB", {}),
        ("JPEG", "RGB", {"progressive": True}),
        ("JPEG", "L", {}),
        ("JPEG", "CMYK", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "LA", {}),
        ("PNG", "P", {"transparency": 3}),
        ("PNG", "1", {}),
        ("WEBP", "RGB", {}),
        ("WEBP", "RGBA", {"lossless": True}),
        ("BMP", "RGB", {}),
        ("GIF", "P", {}),
        ("TIFF", "RGB", {"compression": "jpeg"}),
        ("TIFF", "CMYK", {}),
    ],
)
def test_pictures_of_every_kind_become_rgb(
    kind: str, mode: str, options: dict[str, object], made: Callable[..., bytes], hopper: Picture
) -> None:
    picture = decoded(NAME, made(kind, mode, **options))
    assert (picture.shape, picture.dtype) == (hopper.shape, np.dtype("uint8"))
    wanted = _grey(hopper) if mode in ("L", "LA", "1") else hopper
    limit = {"1": 90, "P": 25}.get(mode, 5)
    assert np.abs(picture.astype(int) - wanted).mean() < limit


def _grey(picture: Picture) -> Picture:
    grey = np.asarray(Image.fromarray(picture).convert("L"), np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_picture_of_16_bits_becomes_one_of_8(kind: str, hopper: Picture) -> None:
    grey = _grey(hopper)
    file = BytesIO()
    Image.fromarray(grey[..., 0].astype(np.uint16) * 257).save(file, kind)
    assert np.abs(decoded(NAME, file.getvalue()).astype(int) - grey).max() <= 1


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_photo_that_was_held_sideways_is_turned(orientation: int, hopper: Picture) -> None:
    turned = np.rot90(hopper, {3: 2, 6: 1, 8: 3}[orientation])
    exif, file = Image.Exif(), BytesIO()
    exif[0x112] = orientation
    Image.fromarray(np.ascontiguousarray(turned)).save(file, "JPEG", exif=exif)
    picture = decoded(NAME, file.getvalue())
    assert picture.shape == hopper.shape
    assert np.abs(picture.astype(int) - hopper).mean() < 5


@pytest.mark.parametrize(
    ("brands", "kind"),
    [
        (b"heic\0\0\0\0mif1heic", "HEIC"),
        (b"mif1\0\0\0\0mif1heic", "HEIC"),
        (b"mif1\0\0\0\0mif1miaf", "HEIF"),
        (b"avif\0\0\0\0avifmif1", "AVIF"),
    ],
)
def test_a_photo_as_telephones_keep_them_is_named_with_the_mend(brands: bytes, kind: str) -> None:
    box = (len(brands) + 8).to_bytes(4) + b"ftyp" + brands
    with pytest.raises(BadPicture, match=f"is {kind}, which is not read; save it as JPEG") as bad:
        decoded(NAME, box + bytes(100))
    assert bad.value.reason == "not_an_image"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"dear diary",
        bytes(100_000),
        b"\xff\xd8\xff\xe0 cut",
        b"\0\0\0\x18ftypisom" + bytes(99),
    ],
    ids=["empty", "text", "zeros", "cut", "video"],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(BadPicture, match="is not an image, whatever its name") as bad:
        decoded(NAME, data)
    assert (bad.value.reason, bad.value.value, bad.value.limit) == ("not_an_image", None, None)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_a_picture_cut_anywhere_is_a_picture_or_refused(
    kind: str, made: Callable[..., bytes]
) -> None:
    data = made(kind)
    refused = 0
    for end in range(0, len(data), max(1, len(data) // 60)):
        try:
            assert decoded(NAME, data[:end]).ndim == 3
        except BadPicture as error:
            refused += error.reason == "not_an_image"
    assert refused > 0


def test_a_file_that_is_larger_than_photos_are_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "film.jpg"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 5_000_000)
    with pytest.raises(BadPicture, match="has 55.0 MB, and a photo 50 at most") as bad:
        read(path)
    assert (bad.value.value, bad.value.limit) == (55e6, 50e6)
    with pytest.raises(BadPicture, match="50.0 MB"):
        read(Path("/dev/zero"))


def test_five_points_that_fall_together_are_no_face(hopper: Picture) -> None:
    class Odd:
        def detect(self, picture: Picture) -> list[Face]:
            return [Face((0, 0, 100, 100), np.full((5, 2), 50, np.float32), 0.9)]

    with pytest.raises(BadPicture) as bad:
        portrait(NAME, hopper, Odd(), min_face=40)
    assert bad.value.reason == "no_face"


def test_a_portrait_says_how_good_it_is(detector: Detector, hopper: Picture) -> None:
    quality = portrait(NAME, hopper, detector, min_face=40).quality
    assert 150 < quality.height < 250
    assert quality.sharpness > 100
    assert quality.yaw < 0.2


def test_the_pictures_of_a_folder_come_by_name(tmp_path: Path) -> None:
    pictures = ["a.png", "b.JPG", "c.jpeg", "d.heic", "e.gif", "f.jfif", "g.jpe"]
    for name in (*pictures, "notes.txt", ".DS_Store", "._a.png"):
        (tmp_path / name).touch()
    os.mkdir(tmp_path / "album.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert [path.name for path in photos_in(tmp_path)] == pictures


def test_a_link_that_leads_nowhere_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (path,) = photos_in(tmp_path)
    with pytest.raises(BadPicture, match="No such file"):
        read(path)


def test_photos_deeper_in_a_folder_are_counted(tmp_path: Path) -> None:
    for name in ("1.jpg", "trip/2.jpg", "trip/day/3.gif", "trip/notes.txt", "trip/.thumbs/4.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "trip" / "back").symlink_to(tmp_path)
    assert count_deeper(tmp_path) == 2


def test_a_name_that_is_not_utf_8_is_said_in_words_that_are(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9\n.jpg")
    path.write_bytes(b"dear diary")
    for read_it in (lambda: decoded(path, read(path)), lambda: read(path / "gone.jpg")):
        with pytest.raises(BadPicture) as bad:
            read_it()
        str(bad.value).encode()
        assert "caf\N{REPLACEMENT CHARACTER}" in str(bad.value) and "\n" not in str(bad.value)
    with pytest.raises(BadSettings) as refused:
        folders_of(path)
    str(refused.value).encode()


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="is not a folder"):
        folders_of(tmp_path / "nowhere")
    with pytest.raises(BadSettings, match="is not a folder"):
        folders_of(tmp_path / ("x" * 300))
    with pytest.raises(BadSettings, match="can't be read"):
        photos_in(tmp_path / "nowhere")
