"""An export: everything of everyone, in lines that any program can read."""

from __future__ import annotations

import base64
import hashlib
import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import redis

from facetrail.errors import GalleryError
from facetrail.store import Keys
from index.gallery import Gallery
from index.photo import Photo
from index.re_encode import ReEncoding
from index.replica import Replica
from index.transfer.export_file import TRIES, Export
from tests.index.exports import (
    CALIBRATION,
    ENCODER,
    enrol_many,
    enrol_three,
    everyone,
    exported,
    imported,
    real_photo,
)


def test_who_was_exported_and_removed_comes_back_the_same(
    gallery: Gallery, client: redis.Redis, keys: Keys, tmp_path: Path
) -> None:
    # Given an export of three people, who are then all removed, and a worker that follows
    enrol_three(gallery)
    before, calibration = everyone(gallery), gallery.calibration(ENCODER)
    path = exported(gallery, tmp_path / "people")
    replica = Replica(client, keys, worker=None, encoder=ENCODER)
    replica.load()
    known = {person: rows.tobytes() for person, rows in replica.encodings().items()}
    for person in gallery.people():
        gallery.remove(person.name)
    assert gallery.people() == [] and gallery.encoder is None
    replica.step(block_ms=10)
    assert replica.encodings() == {}

    # If they are imported
    imported(path, gallery)

    # I expect each to be as they were, to the last bit, and the worker to know them
    assert everyone(gallery) == before
    assert (gallery.encoder, gallery.calibration(ENCODER)) == (ENCODER, calibration)
    assert gallery.count_encodings() == 5
    replica.step(block_ms=10)
    found = replica.encodings()
    assert {person: sorted_rows(rows.tobytes()) for person, rows in found.items()} == {
        person: sorted_rows(rows) for person, rows in known.items()
    }
    ada = gallery.named("ada strasse").id
    assert replica.view.rules[ada].active_from == "2026-12-31T23:00:00+00:00"
    assert replica.view.negatives[ada].tobytes() == real_photo(3).encoding
    assert replica.view.people.get(ada) is not None


def sorted_rows(rows: bytes) -> list[bytes]:
    return sorted(rows[start : start + 512] for start in range(0, len(rows), 512))


def test_an_empty_redis_takes_the_calibration_too(
    gallery: Gallery, client: redis.Redis, keys: Keys, tmp_path: Path
) -> None:
    enrol_three(gallery)
    before = everyone(gallery)
    path = exported(gallery, tmp_path / "people")
    client.flushdb()

    assert imported(path, gallery).calibrated is True
    assert everyone(gallery) == before
    assert gallery.calibration(ENCODER) == CALIBRATION

    # and all of it can be exported, changed and removed like any other
    again = exported(gallery, tmp_path / "again")
    assert sorted(again.read_bytes().splitlines()[1:-1]) == sorted(
        path.read_bytes().splitlines()[1:-1]
    )
    gallery.merge("Ben", into="Cleo")
    gallery.remove("Ada Straße")
    assert [person.name for person in gallery.people()] == ["Cleo"]
    gallery.remove("Cleo")
    begun = {keys.gallery_erasing, keys.gallery_merging, keys.gallery_unwritten}
    left = {key.decode() for key in client.scan_iter()} - begun
    assert left == {keys.gallery_log, keys.encoder(ENCODER)}


def test_another_program_can_read_it_by_its_document(gallery: Gallery, tmp_path: Path) -> None:
    # Given a file, and only what docs/export.md says of it
    enrol_three(gallery)
    lines = exported(gallery, tmp_path / "people").read_bytes().splitlines(keepends=True)
    head, *content, end = (json.loads(line) for line in lines)

    assert (head["type"], head["format"], head["version"]) == ("gallery", "facetrail-gallery", 1)
    assert head["encoder"] == ENCODER
    assert head["calibration"]["threshold"] == CALIBRATION.threshold
    photos: dict[str, list[dict[str, object]]] = {}
    name = ""
    for line in content:
        if line["type"] == "person":
            name = line["name"]
        else:
            photos.setdefault(name, []).append(line)
    assert {name: len(own) for name, own in photos.items()} == {
        "Ada Straße": 3,
        "Ben": 1,
        "Cleo": 1,
    }
    (ben,) = photos["Ben"]
    assert (ben["digest"], ben["source"], ben["negative"]) == (
        real_photo(4).digest,
        "4.jpg",
        False,
    )
    numbers = np.frombuffer(base64.b64decode(str(ben["encoding"])), "<f4")
    assert numbers.tobytes() == real_photo(4).encoding
    assert base64.b64decode(str(ben["chip"])) == real_photo(4).chip
    assert end == {
        "type": "end",
        "people": 3,
        "photos": 5,
        "sha256": hashlib.sha256(b"".join(lines[:-1])).hexdigest(),
    }


def test_nobody_enrolled_is_nothing_to_export(gallery: Gallery) -> None:
    with pytest.raises(GalleryError, match="nobody is enrolled, so there is nothing to export"):
        Export(gallery)


def test_whoever_is_removed_meanwhile_is_left_out_whole(
    gallery: Gallery, client: redis.Redis, tmp_path: Path
) -> None:
    # Given an export that has begun, and more people than are read at once
    enrol_many(gallery, 50)
    lines = Export(gallery).lines()
    begun = [next(lines) for _ in range(3)]
    gone = max(gallery.people(), key=lambda person: person.id)  # the order in which they come
    gallery.remove(gone.name)

    # I expect a file that can be imported, without the one who is gone
    path = tmp_path / "people"
    path.write_bytes(b"".join([*begun, *lines]))
    client.flushdb()
    imported(path, gallery)
    assert len(gallery.people()) == 49
    assert gone.name not in {person.name for person in gallery.people()}


def _merge_into_unread(gallery: Gallery) -> None:
    """A photo that is in the file comes again, with somebody else."""
    gallery.merge(named_by_order(gallery)[0], into=named_by_order(gallery)[-1])


def _merge_into_read(gallery: Gallery) -> None:
    """A photo that is not yet in the file would be lost."""
    gallery.merge(named_by_order(gallery)[-1], into=named_by_order(gallery)[0])


def _split(gallery: Gallery) -> None:
    first = gallery.named(named_by_order(gallery)[0])
    gallery.split(first.name, [gallery.photos(first.id)[0].digest], "Somebody new")


def _take_the_name(gallery: Gallery) -> None:
    first, *_, last = named_by_order(gallery)
    gallery.describe(first, name="Somebody new")
    gallery.describe(last, name=first)


def _remove_one_who_is_in_it(gallery: Gallery) -> None:
    gallery.remove(named_by_order(gallery)[0])


def _enrol_their_photo_again(gallery: Gallery) -> None:
    first, *_, last = named_by_order(gallery)
    photos = gallery.photos(gallery.named(first).id)
    gallery.remove(first)
    gallery.enrol(last, photos, encoder=ENCODER)


def _lose_the_log(gallery: Gallery) -> None:
    """Who was merged can't be told from what is left of it."""
    _merge_into_read(gallery)
    gallery.client.delete(gallery.keys.gallery_log)
    gallery.describe(named_by_order(gallery)[0], notes="changed")


def named_by_order(gallery: Gallery) -> list[str]:
    """Everyone's name, in the order of an export."""
    return [person.name for person in sorted(gallery.people(), key=lambda person: person.id)]


@pytest.mark.parametrize(
    "change",
    [
        _merge_into_unread,
        _merge_into_read,
        _split,
        _take_the_name,
        _remove_one_who_is_in_it,
        _enrol_their_photo_again,
        _lose_the_log,
    ],
)
def test_what_moves_while_it_is_read_is_in_the_file_once(
    gallery: Gallery, client: redis.Redis, tmp_path: Path, change: Callable[[Gallery], None]
) -> None:
    # Given an export of more people than are read at once, whose gallery changes when it has begun
    enrol_many(gallery, 50, photos=2)
    export, files = Export(gallery), list[bytes]()

    def fill(lines: Iterator[bytes]) -> None:
        begun = [next(lines) for _ in range(3)]
        if not files:
            change(gallery)
        files.append(b"".join(begun))
        files[-1] += b"".join(lines)

    # I expect it to be begun anew, and the file to be the gallery as it is then
    export.write(fill)
    assert len(files) == 2
    before = everyone(gallery)
    assert (export.people, export.photos) == (len(before), gallery.count_encodings())
    (tmp_path / "people").write_bytes(files[-1])
    client.flushdb()
    imported(tmp_path / "people", gallery)
    assert everyone(gallery) == before


def test_changes_that_fit_do_not_begin_it_anew(gallery: Gallery, tmp_path: Path) -> None:
    # Given people who get photos, notes and company while they are exported
    enrol_many(gallery, 50)
    files: list[list[bytes]] = []

    def fill(lines: Iterator[bytes]) -> None:
        files.append([next(lines) for _ in range(3)])
        for name in (named_by_order(gallery)[0], named_by_order(gallery)[-1], "Somebody new"):
            gallery.enrol(
                name, [real_photo(len(name) + gallery.count_encodings())], encoder=ENCODER
            )
            gallery.describe(name, notes="changed")
        files[-1] += lines

    Export(gallery).write(fill)
    assert len(files) == 1
    (tmp_path / "people").write_bytes(b"".join(files[0]))
    gallery.client.flushdb()
    imported(tmp_path / "people", gallery)
    assert len(gallery.people()) == 50


def test_people_who_are_merged_whenever_they_are_read_are_not_exported(gallery: Gallery) -> None:
    enrol_many(gallery, 50)
    tries: list[None] = []

    def fill(lines: Iterator[bytes]) -> None:
        tries.append(None)
        next(lines)
        _merge_into_read(gallery)
        list(lines)

    with pytest.raises(GalleryError, match="were merged, .* export them again when nobody does"):
        Export(gallery).write(fill)
    assert len(tries) == TRIES


def test_what_cant_be_exported_is_not_tried_again_for_nothing(gallery: Gallery) -> None:
    gallery.enrol("Ada", [real_photo(1, chip=b"no chip")], encoder=ENCODER)
    tries: list[None] = []

    def fill(lines: Iterator[bytes]) -> None:
        tries.append(None)
        list(lines)

    with pytest.raises(GalleryError, match="Ada can't be exported"):
        Export(gallery).write(fill)
    assert len(tries) == 1


class Other:
    """An encoder of another id."""

    id, threshold, margin = "retail0095@580937da", 1.0, 0.0

    def encode(self, chips: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        return np.eye(128, dtype=np.float32)[: len(chips)]


def test_a_gallery_that_moves_to_another_encoder_meanwhile_is_not_exported_in_two_halves(
    gallery: Gallery,
) -> None:
    enrol_many(gallery, 50)
    lines = Export(gallery).lines()
    next(lines)
    ReEncoding(gallery, Other()).run()
    with pytest.raises(GalleryError, match="moved from dlib_resnet@55533b28 to retail0095@580937"):
        list(lines)

    # and another try to export all of it, by the new one
    export, files = Export(gallery), list[bytes]()
    export.write(lambda lines: files.extend(lines))
    assert export.encoder == Other.id and Other.id.encode() in files[0]


@pytest.mark.parametrize(
    ("spoiled", "sentence"),
    [
        ({"chip": b"\xff\xd8 no chip"}, "has a chip that is no 112x112 JPEG in colour"),
        ({"encoding": bytes(512)}, "has an encoding that is not 512 bytes of length 1"),
    ],
)
def test_what_an_import_would_refuse_is_not_exported(
    gallery: Gallery, spoiled: dict[str, bytes], sentence: str
) -> None:
    photo = real_photo(1)
    own = {"encoding": photo.encoding, "chip": photo.chip} | spoiled
    gallery.enrol("Ada", [Photo(digest=photo.digest, source="ada.jpg", **own)], encoder=ENCODER)
    with pytest.raises(GalleryError, match=f"Ada can't be exported: photo .* {sentence}"):
        list(Export(gallery).lines())


def test_memory_does_not_grow_with_the_gallery(gallery: Gallery) -> None:
    enrol_many(gallery, 150, photos=5)
    export = Export(gallery)
    size = sum(len(line) for line in export.lines())

    tracemalloc.start()
    for _ in Export(gallery).lines():
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (export.people, export.photos) == (150, 750)
    assert peak < size / 3
