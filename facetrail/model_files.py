"""Where a model's file lies, and whether it is the one meant.

Looked for in this order: an explicit path, `FACETRAIL_MODEL_DIR`, the user's cache, the
package of the registry that carries it.
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
    package: the distribution that carries it, if one does.
    """

    name: str
    size: int
    sha256: str
    licence: str
    source: str
    package: str | None = None

    def find(self, model_dir: Path | None, cache_dir: Path) -> Path | None:
        """Where the file lies, or None; not yet verified."""
        return next(filter(Path.is_file, self._places(model_dir, cache_dir)), None)

    def _places(self, model_dir: Path | None, cache_dir: Path) -> Iterator[Path]:
        if model_dir is not None:
            yield model_dir / self.name
        yield cache_dir / "models" / self.name
        if self.package is not None:
            yield from _carried(self.package, self.name)

    def open(self, model_dir: Path | None, cache_dir: Path) -> Path:
        """The path of the verified file. Raises BadModelFile."""
        path = self.find(model_dir, cache_dir)
        if path is None:
            raise BadModelFile(
                f"{self.name} is not on this machine: {self.source}, "
                "and name its folder in FACETRAIL_MODEL_DIR"
            )
        self.verify(path)
        return path

    def verify(self, path: Path) -> None:
        """Raises BadModelFile, saying how the file differs from the one meant."""
        size = path.stat().st_size
        if size != self.size:
            kind = "cut short" if size < self.size else "not the file meant"
            raise BadModelFile(
                f"{path} is {kind}: expected {self.size} bytes, got {size}; {self._mend()}"
            )
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.sha256:
            raise BadModelFile(
                f"{path} was altered: expected SHA-256 {self.sha256}, got {found}; {self._mend()}"
            )

    def _mend(self) -> str:
        return f"delete it and get it again: {self.source}"


def _carried(package: str, name: str) -> Iterator[Path]:
    """Files of that name in an installed distribution, which is not imported."""
    try:
        listed = files(package) or []
    except PackageNotFoundError:
        return
    yield from (Path(str(file.locate())) for file in listed if file.name == name)
