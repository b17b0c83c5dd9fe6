"""Where a model's file lies, and whether it is the one meant.

Looked for in this order: an explicit path, `FACETRAIL_MODEL_DIR`, the user's cache, which is
where `facetrail models fetch` downloads to, what carries it, a package of the registry or
Facetrail itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from facetrail.errors import BadModelFile


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of weights that the project knows.

    name: the file's name. size: bytes. source: where a user gets it, as a sentence.
    package: the distribution that carries it, if one does; carrier: the folder of Facetrail's
    own that does. url: its public address, if it has one; model: the name by which `facetrail
    models fetch` then gets it.
    """

    name: str
    size: int
    sha256: str
    licence: str
    source: str
    package: str | None = None
    carrier: Path | None = None
    url: str | None = None
    model: str | None = None

    def find(self, model_dir: Path | None, cache_dir: Path) -> Path | None:
        """Where the file lies, or None; not yet verified."""
        return next(filter(Path.is_file, self._places(model_dir, cache_dir)), None)

    def _places(self, model_dir: Path | None, cache_dir: Path) -> Iterator[Path]:
        if model_dir is not None:
            yield model_dir / self.name
        yield downloads(cache_dir) / self.name
        if self.package is not None:
            yield from _carried(self.package, self.name)
        if self.carrier is not None:
            yield self.carrier / self.name

    def open(self, model_dir: Path | None, cache_dir: Path, *, path: Path | None = None) -> Path:
        """The path of the verified file. Raises BadModelFile.

        path: an explicit one, of any name; then nothing else is looked at.
        """
        found = path or self.find(model_dir, cache_dir)
        if found is None:
            raise BadModelFile(f"{self.name} is not on this machine: {self.mend()}")
        if not found.is_file():
            raise BadModelFile(f"{found} is not a file: name one that is {self.name}")
        self.verify(found)
        return found

    def verify(self, path: Path) -> None:
        """Raises BadModelFile, saying how the file differs from the one meant."""
        if (difference := self.difference(path)) is not None:
            get = self._fetch() + (self.by_hand() if self.carrier else self.source)
            raise BadModelFile(f"{path} {difference}; delete it and get it again: {get}")

    def difference(self, path: Path) -> str | None:
        """How a file differs from the one meant, as the end of a sentence; None: not at all."""
        size = path.stat().st_size
        if size != self.size:
            kind = "cut short" if size < self.size else "not the file meant"
            return f"is {kind}: expected {self.size} bytes, got {size}"
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.sha256:
            return f"was altered: expected SHA-256 {self.sha256}, got {found}"
        return None

    def mend(self) -> str:
        """What to do where the file is missing, as the end of a sentence."""
        return self._fetch() + self.by_hand()

    def by_hand(self) -> str:
        """What to do where it can't be fetched, as the end of a sentence."""
        if self.carrier is not None:
            return "install Facetrail again"
        return f"{self.source}, and name its folder in FACETRAIL_MODEL_DIR"

    def _fetch(self) -> str:
        if self.url is None or self.model is None:
            return ""
        return f"run `facetrail models fetch {self.model}`, or "


def downloads(cache_dir: Path) -> Path:
    """The folder that files are downloaded to."""
    return cache_dir / "models"


def _carried(package: str, name: str) -> Iterator[Path]:
    """Files of that name in an installed distribution, which is not imported."""
    try:
        listed = files(package) or []
    except PackageNotFoundError:
        return
    yield from (Path(str(file.locate())) for file in listed if file.name == name)
