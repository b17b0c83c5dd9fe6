"""A sealed export: only its passphrase opens it, and no byte of it can be altered."""

from __future__ import annotations

import base64
import errno
import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyrage
import pytest
import redis
from pyrage import passphrase, x25519

from facetrail.errors import BadExport, GalleryError
from index.gallery import Gallery
from index.transfer.export_file import Export
from index.transfer.import_file import ImportFile, Reading
from index.transfer.importing import check, import_people
from index.transfer.sealed import BEGIN, END, Unsealing, seal
from tests.index.exports import ENCODER, enrol_three, everyone, everything, real_photo

WORDS = "correct horse battery staple"


@pytest.fixture(scope="module")
def plain() -> bytes:
    """More than a piece of what age seals at once."""
    return b"".join(b"line %d\n" % i for i in range(40_000))


@pytest.fixture(scope="module")
def sealed(plain: bytes) -> bytes:
    out = io.BytesIO()
    seal(iter(plain.splitlines(keepends=True)), out, WORDS)
    return out.getvalue()


def test_a_sealed_gallery_comes_back_and_shows_nothing_of_itself(
    gallery: Gallery, client: redis.Redis, tmp_path: Path
) -> None:
    # Given a sealed export of three people
    enrol_three(gallery)
    before = everyone(gallery)
    path = tmp_path / "people"
    with path.open("wb") as file:
        seal(Export(gallery).lines(), file, WORDS)
    client.flushdb()

    # I expect nothing of them to be readable in it; three letters alone may be there by chance
    data = path.read_bytes()
    for trace in (b'"Ada"', b'"Ben"', b"gallery", ENCODER.encode(), real_photo(4).digest.encode()):
        assert trace not in data
    assert WORDS.encode() not in data

    # and a wrong passphrase to open nothing
    with pytest.raises(BadExport, match="people can't be opened: the passphrase is another, the"):
        ImportFile(path, lambda: "correct horse battery")
    assert everything(client) == {}

    # and the right one everything, for which it is asked once
    asked: list[str] = []
    with ImportFile(path, lambda: asked.append(WORDS) or WORDS) as opened:
        checked = check(opened, gallery, skip_existing=False)
        import_people(opened, gallery, checked)
    assert everyone(gallery) == before
    assert asked == [WORDS]


def test_standard_age_opens_it_in_two_steps(plain: bytes, sealed: bytes) -> None:
    key, end, rest = sealed.partition(END)
    identity = passphrase.decrypt(key + end, WORDS).decode()
    assert pyrage.decrypt(rest, [x25519.Identity.from_str(identity)]) == plain


def test_no_file_is_sealed_by_the_same_key_twice(sealed: bytes) -> None:
    out = io.BytesIO()
    seal(iter([b"line\n"]), out, WORDS)
    assert out.getvalue().partition(END)[0] != sealed.partition(END)[0]


def test_content_that_is_cut_or_altered_anywhere_is_refused(sealed: bytes, plain: bytes) -> None:
    # Given a file that is changed behind its key, once the key is opened
    file = io.BytesIO(sealed)
    unsealing = Unsealing("people", file, WORDS)
    start = sealed.index(END) + len(END)
    rng = np.random.default_rng(0)

    def content(data: bytes) -> bytes:
        file.seek(start)
        file.truncate()
        file.write(data[start:])
        read = io.BytesIO()
        unsealing.read(read.write)
        return read.getvalue()

    assert content(sealed) == plain

    # I expect every change to be refused
    places = [start, start + 40, start + 250, len(sealed) - 1]
    places += rng.integers(start, len(sealed), 100).tolist()
    for place in places:
        altered = bytearray(sealed)
        altered[place] ^= 1 << int(rng.integers(0, 8))
        for data in (bytes(altered), sealed[:place]):
            with pytest.raises(BadExport, match="people is cut short or altered: take another"):
                content(data)
    with pytest.raises(BadExport, match="people is cut short or altered"):
        content(sealed + b"x")


@pytest.mark.parametrize("length", [len(BEGIN), len(BEGIN) + 1, 200])
def test_a_key_that_is_cut_short_is_refused(sealed: bytes, length: int) -> None:
    with pytest.raises(BadExport, match="people is cut short or altered: take another"):
        Unsealing("people", io.BytesIO(sealed[:length]), WORDS)


def test_a_key_that_is_altered_is_refused(sealed: bytes) -> None:
    for place in (len(BEGIN) + 5, len(BEGIN) + 150, sealed.index(END) - 10):
        altered = bytearray(sealed)
        altered[place] ^= 1
        with pytest.raises(BadExport, match="the passphrase is another, the file is damaged"):
            Unsealing("people", io.BytesIO(bytes(altered)), WORDS)


def test_a_key_that_would_take_hours_to_open_is_refused_at_once(sealed: bytes) -> None:
    # Given a key that is sealed with 2^30 times the least work
    armour = sealed[len(BEGIN) : sealed.index(END)]
    dear = re.sub(rb"(-> scrypt \S+) \d+", rb"\1 30", base64.b64decode(armour), count=1)
    data = BEGIN + base64.encodebytes(dear) + END
    with pytest.raises(BadExport, match="or a much faster machine sealed it"):
        Unsealing("people", io.BytesIO(data), WORDS)


@pytest.mark.parametrize("held", [b"no key", pytest.param(b"\xff\xfe", marks=pytest.mark.slow)])
def test_what_is_no_key_behind_the_passphrase_is_refused(held: bytes) -> None:
    data = passphrase.encrypt(held, WORDS, armored=True)
    with pytest.raises(BadExport, match="people can't be opened"):
        Unsealing("people", io.BytesIO(data), WORDS)


def test_content_that_is_no_export_is_refused_like_any_other(
    gallery: Gallery, sealed: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "people"
    path.write_bytes(sealed)
    with ImportFile(path, lambda: WORDS) as file:
        with pytest.raises(BadExport, match="people is no export of a gallery"):
            check(file, gallery, skip_existing=False)


def test_what_stops_the_export_stops_the_sealing_with_its_own_error() -> None:
    def broken():  # type: ignore[no-untyped-def]
        yield b"line\n"
        raise GalleryError("Ada can't be exported")

    with pytest.raises(GalleryError, match="Ada can't be exported"):
        seal(broken(), io.BytesIO(), WORDS)


class Full(io.BytesIO):
    """A disk without space, but for the key."""

    def write(self, data: object) -> int:
        if self.tell():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)  # type: ignore[arg-type]


def test_a_full_disk_stops_the_sealing_with_its_own_error(plain: bytes) -> None:
    with pytest.raises(OSError, match="No space left on device") as caught:
        seal(iter([plain] * 3), Full(), WORDS)
    assert caught.value.errno == errno.ENOSPC


def test_what_the_reader_raises_comes_through(sealed: bytes) -> None:
    unsealing = Unsealing("people", io.BytesIO(sealed), WORDS)

    def refuse(error: Exception) -> Callable[[bytes], int]:
        def write(piece: bytes) -> int:
            raise error

        return write

    for error in (BadExport("mine"), OSError("mine"), redis.ConnectionError("mine")):
        with pytest.raises(type(error), match="mine"):
            unsealing.read(refuse(error))


def test_pieces_of_any_size_are_read_the_same(gallery: Gallery) -> None:
    enrol_three(gallery)
    data = b"".join(Export(gallery).lines())
    answers = []
    for size in (1, 7, 1000, len(data)):
        items: list[object] = []
        reading = Reading("people", items.append)
        for start in range(0, len(data), size):
            reading.write(data[start : start + size])
        answers.append((items, reading.finish()))
    assert all(answer == answers[0] for answer in answers)
    assert len(answers[0][0]) == 8


def test_a_source_is_read_as_it_is_wanted() -> None:
    """Only what is sealed next is in memory."""
    out: BinaryIO = io.BytesIO()
    ahead: list[int] = []

    def lines():  # type: ignore[no-untyped-def]
        for i in range(40):
            ahead.append(i * 65_536 - out.tell())
            yield bytes(65_536)

    seal(lines(), out, WORDS)
    assert max(ahead) < 4 * 65_536
