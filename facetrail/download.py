"""A model's file from its public address: resumed, verified, and only then in its place."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import requests

from facetrail.errors import BadModelFile
from facetrail.model_files import ModelFile

CONNECT_S = 10.0
READ_S = 30.0  # of silence; a slow connection may take as long as it needs
PIECE = 1 << 16

Progress = Callable[[int], None]


def download(file: ModelFile, folder: Path, *, progress: Progress = lambda _: None) -> Path:
    """The path of the file in `folder`, downloaded and verified. Raises BadModelFile.

    What came before a cut stays aside in `.NAME.partial`, and the next download goes on from
    there. progress: called with the number of bytes that are there by now.
    """
    if file.url is None:
        raise BadModelFile(f"{file.name} has no public address: {file.by_hand()}")
    with _saved(file, folder) as out:
        kept = _fill(file, out, progress)
        if kept and file.difference(_partial(file, folder)) is not None:  # they were of another
            _empty(out)
            _fill(file, out, progress)
        if (difference := file.difference(_partial(file, folder))) is not None:
            _empty(out)
            raise BadModelFile(f"what {file.url} sent {difference}; {_mend(file)}")
    return folder / file.name


def copy(file: ModelFile, path: Path, folder: Path) -> Path:
    """The path of the file in `folder`, copied from an explicit one. Raises BadModelFile."""
    whole = file.open(None, folder, path=path).read_bytes()
    with _saved(file, folder) as out:
        _empty(out)
        out.write(whole)
    return folder / file.name


@contextmanager
def _saved(file: ModelFile, folder: Path) -> Iterator[BinaryIO]:
    """The partial file, open at its end and ours alone; renamed if nothing is raised.

    Raises BadModelFile. An empty partial file does not stay.
    """
    partial = _partial(file, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with partial.open("ab") as out:
            _lock(file, out)
            try:
                yield out
            finally:
                if not out.tell():
                    partial.unlink()
            out.flush()
            os.fsync(out.fileno())
            partial.replace(folder / file.name)
    except OSError as error:
        raise BadModelFile(
            f"{file.name} can't be saved in {folder} ({error.strerror}): make room there, or "
            "name another folder in FACETRAIL_CACHE_DIR"
        ) from error


def _partial(file: ModelFile, folder: Path) -> Path:
    return folder / f".{file.name}.partial"


def _lock(file: ModelFile, out: BinaryIO) -> None:
    """Raises BadModelFile while another process writes it."""
    try:
        fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BadModelFile(
            f"{file.name} is being downloaded by another process: wait until it is done"
        ) from None


def _fill(file: ModelFile, out: BinaryIO, progress: Progress) -> int:
    """Appends what is missing, and returns how many bytes were there before.

    Raises BadModelFile if the rest does not come, or is too much.
    """
    start = out.seek(0, os.SEEK_END)
    if start == file.size:
        return start
    if start > file.size:
        start = _empty(out)
    with _answer(file, start) as answer:
        if start and answer.status_code == 416:  # the server's file ends before ours
            _empty(out)
            return _fill(file, out, progress)
        if (wrong := _wrong(file, answer, start)) is not None:
            raise BadModelFile(f"{file.url} {wrong}; {_mend(file)}")
        if start and answer.status_code == 200:  # all of it, whatever was asked for
            start = _empty(out)
        _append(file, out, answer, progress)
    return start


def _answer(file: ModelFile, start: int) -> requests.Response:
    """What the server answers when asked for the bytes from `start` on. Raises BadModelFile."""
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        return requests.get(
            str(file.url), headers=headers, stream=True, timeout=(CONNECT_S, READ_S)
        )
    except requests.RequestException as error:
        raise BadModelFile(
            f"{_host(file)} can't be reached ({type(error).__name__}): see to the network, or "
            f"name a proxy in HTTPS_PROXY; {_mend(file)}"
        ) from error


def _wrong(file: ModelFile, answer: requests.Response, start: int) -> str | None:
    """Why an answer is not the rest of the file, as the end of a sentence; None if it is."""
    headers, status = answer.headers, answer.status_code
    if status not in (200, 206):
        return f"answered {status} {answer.reason}"
    if "html" in headers.get("Content-Type", ""):
        return "answered with a web page"
    part, _, whole = headers.get("Content-Range", "").partition("/")
    if status == 206 and not part.startswith(f"bytes {start}-"):
        return "sent another part of the file than asked for"
    offered = whole if status == 206 else headers.get("Content-Length", "")
    if offered.isdigit() and int(offered) != file.size:
        return f"has another file: expected {file.size} bytes, offered {offered}"
    return None


def _append(file: ModelFile, out: BinaryIO, answer: requests.Response, progress: Progress) -> None:
    """Raises BadModelFile if the connection is cut, or brings more than the file has."""
    for piece in _pieces(file, out, answer):
        if out.tell() + len(piece) > file.size:
            _empty(out)
            raise BadModelFile(
                f"{file.url} has another file: expected {file.size} bytes, got more; {_mend(file)}"
            )
        out.write(piece)
        progress(out.tell())
    if out.tell() < file.size:
        raise _cut(file, out)
    out.flush()


def _pieces(file: ModelFile, out: BinaryIO, answer: requests.Response) -> Iterator[bytes]:
    try:
        yield from answer.iter_content(PIECE)
    except requests.RequestException as error:
        raise _cut(file, out) from error


def _cut(file: ModelFile, out: BinaryIO) -> BadModelFile:
    return BadModelFile(
        f"{_host(file)} broke off after {out.tell()} of the {file.size} bytes of {file.name}: "
        f"run `facetrail models fetch {file.model}` again, it goes on from there"
    )


def _empty(out: BinaryIO) -> int:
    """Empties the file, and returns where it ends now."""
    out.seek(0)
    return out.truncate()


def _host(file: ModelFile) -> str | None:
    return urlsplit(str(file.url)).hostname


def _mend(file: ModelFile) -> str:
    return f"try again later, or {file.by_hand()}"
