"""The people of an export become the gallery's: all of them, or nobody."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from facetrail.errors import EncoderMismatch, GalleryError
from index.erasure import Eraser
from index.export_lines import End, Head
from index.gallery import Gallery
from index.import_file import ImportFile, Item, Take
from index.person import EnrolledPerson
from index.present import Present
from index.reader import GalleryReader
from index.staging import AT_ONCE, Staging

#: Of those who are there already so many are named.
NAMED = 5


@dataclass(frozen=True, slots=True)
class Checked:
    """An export that is whole.

    skipped: ids of those left out. people, photos: how many there are to import. own: the
    gallery's encoder.
    """

    head: Head
    end: End
    skipped: frozenset[str]
    people: int
    photos: int
    own: str | None


@dataclass(frozen=True, slots=True)
class Imported:
    """calibrated: the calibration of the export holds now; None: there was none to take."""

    calibrated: bool | None = None


def check(file: ImportFile, gallery: GalleryReader, *, skip_existing: bool) -> Checked:
    """Reads all of the file, and whether the gallery can take it; changes nothing.

    skip_existing: people who are there already are left out; else nobody is imported.
    Raises BadExport, EncoderMismatch, GalleryError.
    """
    present = Present(gallery)
    head, end = file.read(present.take)
    present.ask()
    own = gallery.encoder
    _check_encoder(file, head.encoder, own)
    if present.found and not skip_existing:
        raise _there(file, list(present.found.values()))
    skipped = frozenset(present.found)
    photos = end.photos - sum(present.photos[person] for person in skipped)
    return Checked(head, end, skipped, end.people - len(skipped), photos, own)


def import_people(file: ImportFile, gallery: Gallery, checked: Checked) -> Imported:
    """Everyone but those to skip, in one change.

    Raises BadExport, EncoderMismatch, GalleryError; nothing is changed then.
    """
    Eraser(gallery).finish()  # lest an erasure that was cut off goes on with who comes back
    with Staging(gallery) as staging:
        _, end = file.read(_AllBut(checked.skipped, staging.take).take)
        if end != checked.end:
            raise GalleryError(f"{file.name} has changed while it was read: import it again")
        if not staging.ids:
            return Imported()
        imported = _moved_in(file, staging, checked.head)
        _no_longer_erased(gallery, staging.ids)
        return imported


def _moved_in(file: ImportFile, staging: Staging, head: Head) -> Imported:
    verdict, *details = staging.move_in(head.encoder, head.calibration)
    if verdict == "encoder":
        _check_encoder(file, head.encoder, details[0])
    if verdict == "there":
        raise _there(file, staging.names_of(details))
    if verdict != "ok":
        raise GalleryError("Redis has lost a part of what was to be imported: import it again")
    return Imported(None if head.calibration is None else details == ["1"])


def _no_longer_erased(gallery: GalleryReader, ids: Sequence[str]) -> None:
    """Of whoever was erased within a day nothing is said, until they are back."""
    for start in range(0, len(ids), AT_ONCE):
        names = [gallery.keys.erased(person) for person in ids[start : start + AT_ONCE]]
        gallery.client.unlink(*names)


class _AllBut:
    """Hands on everything but these people and their photos."""

    def __init__(self, skipped: Collection[str], take: Take) -> None:
        self._skipped, self._take = skipped, take
        self._skips = False

    def take(self, item: Item) -> None:
        if isinstance(item, EnrolledPerson):
            self._skips = item.id in self._skipped
        if not self._skips:
            self._take(item)


def _check_encoder(file: ImportFile, theirs: str, own: str | None) -> None:
    if own not in (None, theirs):
        raise EncoderMismatch(
            f"{file.name} is of encoder {theirs}, and the gallery belongs to {own}: move the "
            f"gallery with `facetrail people re-encode --encoder {theirs.partition('@')[0]}`, or "
            "move the other one and export it anew"
        )


def _there(file: ImportFile, names: Sequence[str]) -> GalleryError:
    named = ", ".join(sorted(names)[:NAMED]) + (" …" if len(names) > NAMED else "")
    return GalleryError(
        f"nobody was imported, since {len(names)} of {file.name} are enrolled already, by id, "
        f"name or photo ({named}): leave them out with --skip-existing, or remove them first"
    )
