"""`facetrail people import`: an export into the gallery, all of it or nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from facetrail.cli.json_line import print_json
from facetrail.cli.passphrase import passphrase
from facetrail.cli.people import open_gallery
from facetrail.cli.telling import telling
from facetrail.settings import Settings
from facetrail.store import answered
from index.shown import shown
from index.transfer.import_file import ImportFile
from index.transfer.importing import Checked, Imported, check, import_people
from workers.encoders.choice import is_here


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What `people import --json` prints.

    people, photos: imported, or with --dry-run those that would be. skipped: people who were
    there. calibrated: whether the calibration in the file holds now; null if it has none.
    """

    file: str
    people: int
    photos: int
    skipped: int
    encoder: str
    calibrated: bool | None
    dry_run: bool


def run(
    settings: Settings, path: Path, *, skip_existing: bool, dry_run: bool, as_json: bool
) -> None:
    """Raises BadSettings, GalleryError, RedisAway; then the gallery is as it was."""
    gallery = open_gallery(settings)
    with (
        answered(gallery.client),
        ImportFile(path, lambda: passphrase(settings, twice=False)) as file,
    ):
        with telling("Checking"):
            checked = check(file, gallery, skip_existing=skip_existing)
        if checked.own is None:
            _warn(checked.head.encoder, settings)
        imported = None
        if not dry_run:
            with telling("Importing"):
                imported = import_people(file, gallery, checked)
    _print(_done(path, checked, imported), as_json=as_json)


def _warn(encoder: str, settings: Settings) -> None:
    """An empty gallery takes the encoder of the file, whether workers can open it or not."""
    if not is_here(encoder, settings):
        print(
            f"facetrail: this machine has no encoder {encoder}, which the gallery will belong to: "
            "workers need it",
            file=sys.stderr,
        )


def _done(path: Path, checked: Checked, imported: Imported | None) -> Done:
    return Done(
        file=shown(path),
        people=checked.people,
        photos=checked.photos,
        skipped=len(checked.skipped),
        encoder=checked.head.encoder,
        calibrated=imported.calibrated if imported else None,
        dry_run=imported is None,
    )


def _print(done: Done, *, as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    verb = "would be imported" if done.dry_run else "are imported"
    print(f"{done.people} people with {done.photos} photos {verb}", end="")
    print(f", {done.skipped} are there already" if done.skipped else "")
    if done.calibrated is False:
        print("the calibration of before holds on, not the one in the file", file=sys.stderr)
