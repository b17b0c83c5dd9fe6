"""Sizes are read from headers, as decoders will find them."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from index.photos.picture_header import declared_size, foreign_kind

EXIF = b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"


def written(kind: str, size: tuple[int, int], **options: object) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, (90, 120, 60)).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("size", [(1, 1), (300, 7), (1, 999)])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "comment": b"\xff\xc0 not a frame"}),
        ("JPEG", {"exif": EXIF}),
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": EXIF}),
        ("BMP", {}),
        ("GIF", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_the_size_of_every_kind_is_found(
    kind: str, options: dict[str, object], size: tuple[int, int]
) -> None:
    assert declared_size(written(kind, size, **options)) == size


def test_a_jpeg_may_have_noise_between_its_segments() -> None:
    data = written("JPEG", (30, 20))
    assert declared_size(data[:2] + b"\xff\xff\xff\x01" + data[2:]) == (30, 20)


def test_a_bitmap_may_lie_upside_down() -> None:
    data = bytearray(written("BMP", (30, 20)))
    data[22:26] = (-20).to_bytes(4, "little", signed=True)
    assert declared_size(bytes(data)) == (30, 20)


def test_nothing_is_no_size() -> None:
    data = bytearray(written("PNG", (30, 20)))
    data[16:20] = bytes(4)
    assert declared_size(bytes(data)) is None


@given(st.sampled_from(["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"]), st.data())
def test_spoiled_bytes_raise_nothing(kind: str, draw: st.DataObject) -> None:
    data = bytearray(written(kind, (30, 20)))
    for _ in range(4):
        data[draw.draw(st.integers(0, min(len(data), 60) - 1))] = draw.draw(st.integers(0, 255))
    for cut in (bytes(data), bytes(data[: draw.draw(st.integers(0, len(data)))])):
        size = declared_size(cut)
        assert size is None or all(size)
        assert foreign_kind(cut) in (None, "HEIC", "HEIF", "AVIF")
