"""Galleries whose chips are real, their exports, and all that Redis holds."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import redis

from index.calibration import Calibration
from index.gallery import Gallery
from index.person import new_person
from index.photo import Photo
from index.reader import GalleryReader
from index.transfer.export_file import Export
from index.transfer.export_lines import End, Head, line_of, person_line, photo_line
from index.transfer.import_file import ImportFile
from index.transfer.importing import Imported, check, import_people
from ingest.faces.jpeg import jpeg

ENCODER = "dlib_resnet@55533b28"
CALIBRATION = Calibration(
    threshold=0.31, margin=0.04, fpir=0.01, calibrated_at="2027-01-15T08:00:00+00:00"
)


def real_photo(seed: int, *, chip: bytes | None = None) -> Photo:
    """A photo that passes every check: noise, by its seed."""
    rng = np.random.default_rng(seed)
    row = rng.normal(size=128)
    if chip is None:
        chip = jpeg(rng.integers(0, 256, (112, 112, 3), dtype=np.uint8))
    return Photo(
        digest=hashlib.sha256(b"photo %d" % seed).hexdigest(),
        source=f"{seed}.jpg",
        encoding=(row / np.linalg.norm(row)).astype("<f4").tobytes(),
        chip=chip,
    )


def enrol_three(gallery: Gallery) -> None:
    """Ada with all there is to know, Ben, and Cleo whom nobody shall report."""
    gallery.enrol("Ada Straße", [real_photo(1), real_photo(2)], encoder=ENCODER, external_id="e-7")
    gallery.describe(
        "Ada Straße",
        notes='on "loan"\nuntil spring',
        tags=("staff", "day"),
        active_from="2027-01-01T00:00+01:00",
        active_until="2028-01-01T00:00+01:00",
    )
    gallery.rule_out("Ada Straße", [real_photo(3)], encoder=ENCODER)
    gallery.enrol("Ben", [real_photo(4)], encoder=ENCODER)
    gallery.enrol("Cleo", [real_photo(5)], encoder=ENCODER)
    gallery.describe("Cleo", ignored=True)
    gallery.calibrate(ENCODER, CALIBRATION)


def enrol_many(gallery: Gallery, people: int, *, photos: int = 1, first: int = 1000) -> None:
    """Called P and a number, with one chip for all of them."""
    chip = real_photo(0).chip
    for i in range(people):
        own = range(first + i * photos, first + (i + 1) * photos)
        gallery.enrol(f"P{first + i}", [real_photo(n, chip=chip) for n in own], encoder=ENCODER)


def exported(gallery: GalleryReader, path: Path) -> Path:
    """The file, not sealed."""
    path.write_bytes(b"".join(Export(gallery).lines()))
    return path


def written(path: Path, people: int, *, first: int = 1000) -> Path:
    """An export of whom `enrol_many` would enrol, made without a gallery."""
    chip = real_photo(0).chip
    lines = [line_of(Head(encoder=ENCODER, created_at="2027-01-15T08:00:00+00:00"))]
    for number in range(first, first + people):
        lines.append(line_of(person_line(new_person(f"P{number}"))))
        lines.append(line_of(photo_line(real_photo(number, chip=chip))))
    digest = hashlib.sha256(b"".join(lines)).hexdigest()
    lines.append(line_of(End(people=people, photos=people, sha256=digest)))
    path.write_bytes(b"".join(lines))
    return path


def never_asked() -> str:
    raise AssertionError("this file is not sealed, so nobody should ask for a passphrase")


def imported(path: Path, gallery: Gallery, *, skip_existing: bool = False) -> Imported:
    with ImportFile(path, never_asked) as file:
        checked = check(file, gallery, skip_existing=skip_existing)
        return import_people(file, gallery, checked)


def everyone(gallery: Gallery) -> dict[str, object]:
    """All that can be asked of a gallery about its people."""
    return {
        person.id: (
            person,
            sorted(gallery.photos(person.id), key=lambda photo: photo.digest),
            gallery.negatives(person.id),
            gallery.rules().get(person.id),
            gallery.owner_of(gallery.photos(person.id)[0].digest),
        )
        for person in gallery.people()
    }


def everything(client: redis.Redis) -> dict[bytes, tuple[bytes, int]]:
    """All keys of Redis, byte for byte, and their times to live."""
    return {key: (client.dump(key), client.ttl(key)) for key in client.scan_iter()}
