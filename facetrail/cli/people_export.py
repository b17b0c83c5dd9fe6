"""`facetrail people export`: the gallery into one file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from facetrail.cli.json_line import print_json
from facetrail.cli.passphrase import passphrase
from facetrail.cli.people import open_gallery
from facetrail.cli.target import unwritable
from facetrail.cli.telling import telling
from facetrail.errors import BadSettings
from facetrail.settings import Settings
from facetrail.store import answered
from index.shown import shown
from index.transfer.export_file import Export
from index.transfer.sealed import seal


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What `people export --json` prints."""

    file: str
    people: int
    photos: int
    encoder: str
    encrypted: bool


def run(settings: Settings, path: Path, *, encrypt: bool, force: bool, as_json: bool) -> None:
    """Raises BadSettings, GalleryError, RedisAway; then there is no file, or the old one."""
    _check_free(path, force=force)
    gallery = open_gallery(settings)
    with answered(gallery.client):
        export = Export(gallery)
        words = passphrase(settings, twice=True) if encrypt else None
        with _aside(path, force=force) as file, telling("Exporting"):
            export.write(lambda lines: fill(file, lines, words))
    done = Exported(
        file=shown(path),
        people=export.people,
        photos=export.photos,
        encoder=export.encoder,
        encrypted=encrypt,
    )
    if as_json:
        print_json(done)
    else:
        print(f"{done.people} people with {done.photos} photos are in {done.file}")


def fill(file: IO[bytes], lines: Iterator[bytes], words: str | None) -> None:
    """All of a file, which may hold another try."""
    file.seek(0)
    file.truncate()
    if words is None:
        file.writelines(lines)
    else:
        seal(lines, file, words)


def _check_free(path: Path, *, force: bool) -> None:
    if path.is_dir():
        raise BadSettings(f"{shown(path)} is a folder: name a file in it")
    if path.exists() and not force:
        raise BadSettings(
            f"{shown(path)} is there already: name another file, or overwrite with --force"
        )


@contextmanager
def _aside(path: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """A file that only its owner can read, and that gets its name once it is whole."""
    aside: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", suffix=".new", delete=False
        ) as file:
            aside = Path(file.name)
            yield file
            file.flush()
            os.fsync(file.fileno())
        _check_free(path, force=force)
        aside.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        if aside is not None:
            aside.unlink(missing_ok=True)
