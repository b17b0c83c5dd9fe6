"""How large a picture will be, by its first bytes, before anything decodes it."""

from __future__ import annotations

from struct import error as TooShort
from struct import unpack_from

PNG = b"\x89PNG\r\n\x1a\n"
#: Segments of a JPEG that hold its size (ITU-T T.81, table B.1), and those that hold nothing.
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
BARE = frozenset((0x01, *range(0xD0, 0xD8)))
SCAN, END = 0xDA, 0xD9
#: Tags of a TIFF.
WIDTH, HEIGHT = 256, 257
#: Kinds of the family of ISO 14496-12 files, by their brands (ISO 23008-12, AV1 Image File Format).
FOREIGN = {
    "AVIF": (b"avif", b"avis"),
    "HEIC": (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"),
    "HEIF": (b"mif1", b"msf1", b"heif"),
}


def declared_size(data: bytes) -> tuple[int, int] | None:
    """Width and height that a JPEG, PNG, WebP, BMP, TIFF or GIF declares; None for all else."""
    try:
        if data.startswith(b"\xff\xd8\xff"):
            size = _of_jpeg(data)
        elif data.startswith(PNG) and data[12:16] == b"IHDR":
            size = unpack_from(">2I", data, 16)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            size = _of_webp(data)
        elif data.startswith((b"GIF87a", b"GIF89a")):
            size = unpack_from("<2H", data, 6)
        elif data.startswith(b"BM"):
            size = _of_bmp(data)
        elif data.startswith((b"II*\0", b"MM\0*")):
            size = _of_tiff(data, "<" if data.startswith(b"I") else ">")
        else:
            size = None
    except TooShort:
        return None
    return size if size and all(size) else None


def foreign_kind(data: bytes) -> str | None:
    """AVIF, HEIC or HEIF for a photo of these kinds, which is not read here."""
    if data[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(data[:4]), 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
    return next((kind for kind, own in FOREIGN.items() if brands & set(own)), None)


def _of_jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    while (at := data.find(b"\xff", at)) >= 0:
        (marker,) = unpack_from("B", data, at + 1)
        if marker in FRAMES:
            height, width = unpack_from(">2H", data, at + 5)
            return width, height
        if marker in (SCAN, END):
            return None
        if marker in (0x00, 0xFF, *BARE):  # between segments decoders skip what is none
            at += 1 if marker == 0xFF else 2
        else:
            at += 2 + unpack_from(">H", data, at + 2)[0]
    return None


def _of_webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = unpack_from("<2H", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    return None


def _of_bmp(data: bytes) -> tuple[int, int]:
    (header,) = unpack_from("<I", data, 14)
    width, height = unpack_from("<2H", data, 18) if header == 12 else unpack_from("<2i", data, 18)
    return abs(width), abs(height)  # a negative height: the rows lie from top to bottom


def _of_tiff(data: bytes, order: str) -> tuple[int, int]:
    """Of its first picture."""
    (at,) = unpack_from(f"{order}I", data, 4)
    (count,) = unpack_from(f"{order}H", data, at)
    found = {WIDTH: 0, HEIGHT: 0}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind = unpack_from(f"{order}2H", data, entry)
        if tag in found:
            (found[tag],) = unpack_from(f"{order}{'H' if kind == 3 else 'I'}", data, entry + 8)
    return found[WIDTH], found[HEIGHT]
