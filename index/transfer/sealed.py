"""An export sealed by a passphrase, in the age format; docs/export.md.

A passphrase in age wants all of it in memory, a key does not. So the file is sealed by a key
drawn for it, and begins with that key, which the passphrase seals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO, BinaryIO

import pyrage
from pyrage import passphrase, x25519

from facetrail.errors import BadExport

BEGIN = b"-----BEGIN AGE ENCRYPTED FILE-----\n"
END = b"-----END AGE ENCRYPTED FILE-----\n"
#: Many times the length of a sealed key.
MOST_KEY = 8_192  # bytes

Write = Callable[[bytes], int]


def seal(lines: Iterator[bytes], out: IO[bytes], words: str) -> None:
    """Writes the lines sealed by a passphrase. What `lines` and `out` raise goes on."""
    key = x25519.Identity.generate()
    out.write(passphrase.encrypt(str(key).encode(), words, armored=True))
    source, target = _Source(lines), _Target(out.write)
    try:
        pyrage.encrypt_io(source, target, [key.to_public()])
    except pyrage.EncryptError as error:
        raise source.failed or target.failed or error from None


class Unsealing:
    """Opens a sealed file, which may be read more than once. name: of the file, for errors."""

    def __init__(self, name: str, file: BinaryIO, words: str) -> None:
        """Reads the key. Raises BadExport, for a wrong passphrase too."""
        self._name = name
        self._file = file
        sealed = _sealed_key(name, file)
        self._start = file.tell()
        try:
            self._key = x25519.Identity.from_str(passphrase.decrypt(sealed, words).decode())
        except (pyrage.DecryptError, pyrage.IdentityError, UnicodeDecodeError) as error:
            raise BadExport(
                f"{name} can't be opened: the passphrase is another, the file is damaged, or a "
                "much faster machine sealed it"
            ) from error

    def read(self, write: Write) -> None:
        """Writes all of its content, in pieces. What `write` raises goes on. Raises BadExport."""
        self._file.seek(self._start)
        target = _Target(write)
        try:
            pyrage.decrypt_io(self._file, target, [self._key])
        except (pyrage.DecryptError, OSError) as error:
            if target.failed is not None:
                raise target.failed from None
            raise BadExport(
                f"{self._name} is cut short or altered: take another copy of it"
            ) from error


def is_sealed(file: BinaryIO) -> bool:
    """Whether a file begins like a sealed one."""
    file.seek(0)
    return file.read(len(BEGIN)) == BEGIN


def _sealed_key(name: str, file: BinaryIO) -> bytes:
    """The file's beginning; it stands behind it then."""
    file.seek(0)
    head, end, _ = file.read(MOST_KEY).partition(END)
    if not end:
        raise BadExport(f"{name} is cut short or altered: take another copy of it")
    file.seek(len(head) + len(end))
    return head + end


class _Source:
    """Lines as a file to read. failed: what making them has raised, which pyrage rewords."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self.failed: BaseException | None = None
        self._lines = lines
        self._rest = b""

    def read(self, size: int) -> bytes:
        try:
            while len(self._rest) < size and (line := next(self._lines, b"")):
                self._rest += line
        except BaseException as error:
            self.failed = error
            raise
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


class _Target:
    """A function as a file to write. failed: what it has raised."""

    def __init__(self, write: Write) -> None:
        self.failed: BaseException | None = None
        self._write = write

    def write(self, piece: bytes) -> int:
        try:
            return self._write(piece)
        except BaseException as error:
            self.failed = error
            raise

    def flush(self) -> None:
        """Nothing is kept back."""
