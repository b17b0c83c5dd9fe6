"""A photo that is enrolled, and how encodings lie in Redis."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from facetrail.wire import Encodings

#: As gallery.lua lays them out. kind: FREE, ENROLLED or NEGATIVE.
RECORD = np.dtype(
    {
        "names": ["owner", "kind", "encoding"],
        "formats": [("u1", 6), "u1", ("<f4", 128)],
        "offsets": [0, 6, 8],
        "itemsize": 520,
    }
)
IN_STRING = 4096
FREE, ENROLLED, NEGATIVE = 0, 1, 2

#: Two hexadecimal digits of each byte.
_HEX = np.array([f"{byte:02x}".encode() for byte in range(256)])

#: Ids of people, as `S12`.
Ids = NDArray[np.bytes_]


class Photo(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted photo.

    digest: SHA-256 of the file. source: the file's name. encoding: 128 little-endian
    float32 of length 1. chip: the 112x112 JPEG it is of, for another encoder one day.
    negative: it shows somebody who was taken for this person.
    """

    digest: str
    source: str
    encoding: bytes
    chip: bytes
    negative: bool = False

    @property
    def numbers(self) -> Encodings:
        """Float32 `(128,)`."""
        return np.frombuffer(self.encoding, "<f4").astype(np.float32)


class KeptPhoto(msgspec.Struct, frozen=True):
    """A photo without its encoding, which lies in a record."""

    digest: str
    source: str
    chip: bytes


def unpacked(parts: Sequence[bytes]) -> list[Photo]:
    """What photos.lua answers: photo and record by turns."""
    found = []
    for value, record in zip(parts[::2], parts[1::2], strict=True):
        kept = msgspec.msgpack.decode(value, type=KeptPhoto)
        found.append(
            Photo(
                digest=kept.digest,
                source=kept.source,
                encoding=record[8:],
                chip=kept.chip,
                negative=record[6:7] == bytes([NEGATIVE]),
            )
        )
    return found


class Records:
    """Records as Redis has them: whose, of what kind, and the encodings. A cut one is left out."""

    def __init__(self, data: bytes) -> None:
        self._records = np.frombuffer(data, RECORD, count=len(data) // RECORD.itemsize)

    def ids(self, kind: int) -> Ids:
        """`S12` of each record of a kind."""
        owners = self._records["owner"][self._records["kind"] == kind]
        return np.ascontiguousarray(_HEX[owners]).view("S12").reshape(-1)

    def owners_of(self, encodings: Collection[bytes]) -> set[str]:
        """Ids of those who have one of these."""
        # One number of each is looked for first: a million records are compared in no time.
        whole = [one for one in encodings if len(one) == RECORD["encoding"].itemsize]
        first = [np.frombuffer(encoding, "<f4", count=1)[0] for encoding in whole]
        near = self._records[np.isin(self._records["encoding"][:, 0], first)]
        return {
            record["owner"].tobytes().hex()
            for record in near
            if record["kind"] != FREE and record["encoding"].tobytes() in encodings
        }

    def encodings(self, kind: int) -> Encodings:
        """Float32 `(n, 128)` of the records of a kind."""
        found = self._records["encoding"][self._records["kind"] == kind]
        return np.asarray(found, np.float32)
