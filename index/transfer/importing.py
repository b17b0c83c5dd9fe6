"""The people of an export become the gallery's: all of them, or nobody."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from facetrail.errors import EncoderMismatch, GalleryError
from index.gallery import Gallery
from index.person import EnrolledPerson
from index.reader import GalleryReader
from index.transfer.export_lines import End, Head
from index.transfer.import_file import ImportFile, Item, Take
from index.transfer.present import Present
from index.transfer.staging import Staging
from index.unfinished import Unfinished

#: Of those who are there already so many are named.
NAMED = 5
#: An erasure that goes on is waited for so long; in seconds.
ERASURE_S = 60.0


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


def import_people(
    file: ImportFile, gallery: Gallery, checked: Checked, *, wait_s: float = ERASURE_S
) -> Imported:
    """Everyone but those to skip, in one change. wait_s: for an erasure that goes on.

    Raises BadExport, EncoderMismatch, GalleryError; nothing is changed then.
    """
    with Staging(gallery) as staging:
        _, end = file.read(_AllBut(checked.skipped, staging.take).take)
        if end != checked.end:
            raise GalleryError(f"{file.name} has changed while it was read: import it again")
        if not staging.ids:
            return Imported()
        unfinished = Unfinished(gallery, wait_s=wait_s)
        with unfinished.alone():  # lest an erasure goes on with who comes back
            unfinished.finish_alone()
            imported = _moved_in(file, staging, checked.head)
            unfinished.finish_alone()
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
