"""People are renamed, described, merged and split, and their encodings follow."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
import redis

from facetrail.errors import GalleryError, NoSuchPerson
from facetrail.store import Keys
from index.gallery import Gallery
from index.photo import ENROLLED, NEGATIVE, Photo

ENCODER = "dlib_resnet@55533b28"
PhotoOf = Callable[[int], Photo]


def digests(gallery: Gallery, name: str) -> set[str]:
    return {photo.digest for photo in gallery.photos(gallery.named(name).id)}


def encoded(gallery: Gallery) -> dict[str, set[bytes]]:
    """By id, the encodings as a worker reads them all at once."""
    found: dict[str, set[bytes]] = {}
    for records in gallery.records(ENCODER):
        for person, row in zip(records.ids(ENROLLED), records.encodings(ENROLLED), strict=True):
            found.setdefault(person.decode(), set()).add(row.tobytes())
    return found


def in_truth(gallery: Gallery) -> dict[str, set[bytes]]:
    return {
        person.id: {photo.encoding for photo in gallery.photos(person.id)}
        for person in gallery.people()
    }


def test_a_person_is_renamed(gallery: Gallery, photo: PhotoOf) -> None:
    ada = gallery.enrol("Ada Byron", [photo(1)], encoder=ENCODER)
    renamed = gallery.describe("ada byron", name="Ada Lovelace")
    assert (renamed.id, renamed.name) == (ada.id, "Ada Lovelace")
    assert gallery.named("Ada Lovelace") == renamed
    with pytest.raises(NoSuchPerson):
        gallery.named("Ada Byron")
    # and may be spelled otherwise without being taken for somebody else
    assert gallery.describe("ada lovelace", name="ADA LOVELACE").id == ada.id


def test_nobody_takes_the_name_of_another(gallery: Gallery, photo: PhotoOf) -> None:
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    ben = gallery.enrol("Ben", [photo(2)], encoder=ENCODER)
    with pytest.raises(GalleryError, match="ADA is enrolled already"):
        gallery.describe("Ben", name="ADA")
    assert gallery.named("Ben") == ben


def test_what_is_known_of_a_person_is_kept_and_told(gallery: Gallery, photo: PhotoOf) -> None:
    ada = gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    start = gallery.position()
    gallery.describe(
        "Ada",
        external_id="e-7",
        notes="two\nlines",
        tags=("staff", "vip", "staff"),
        active_until="2027-12-31",
        ignored=True,
    )
    found = gallery.named("Ada")
    assert (found.external_id, found.notes, found.tags) == ("e-7", "two\nlines", ("staff", "vip"))
    assert found.active_until is not None and found.active_until.endswith("+00:00")
    (change,) = gallery.changes(start, block_ms=10)
    assert change.people == (ada.id,)
    assert gallery.rules()[ada.id].ignored

    gallery.describe("Ada", active_until=None, ignored=False)
    assert gallery.rules() == {}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "two\nlines"}, "a person's name has 1 to 200 printable"),
        ({"notes": "x" * 3000}, "notes have at most 2000 characters"),
        ({"tags": ("a\nb",)}, "a person's name has 1 to 200 printable"),
        ({"tags": tuple(map(str, range(60)))}, "at most 50 tags, got 60"),
        ({"active_from": "soon"}, "'soon' is no time; write 2027-01-31"),
        ({"active_from": "2027-02-01", "active_until": "2027-01-01"}, "which is no time at all"),
    ],
)
def test_what_cant_be_kept_is_refused(
    gallery: Gallery, photo: PhotoOf, changes: dict[str, object], sentence: str
) -> None:
    ada = gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    with pytest.raises(GalleryError, match=sentence):
        gallery.describe("Ada", **changes)
    assert gallery.named("Ada") == ada


def test_an_external_id_that_comes_later_is_kept(gallery: Gallery, photo: PhotoOf) -> None:
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    assert gallery.enrol("Ada", [photo(2)], encoder=ENCODER, external_id="e-7").external_id == "e-7"
    assert gallery.enrol("Ada", [photo(3)], encoder=ENCODER).external_id == "e-7"


def test_changes_at_one_time_lose_nothing(gallery: Gallery, photo: PhotoOf) -> None:
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)

    def tag(i: int) -> None:
        own = Gallery(gallery.client, gallery.keys)
        own.describe("Ada", **{("notes", "external_id", "ignored")[i]: ("n", "e", True)[i]})

    threads = [threading.Thread(target=tag, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = gallery.named("Ada")
    assert (found.notes, found.external_id, found.ignored) == ("n", "e", True)


def test_two_are_merged(gallery: Gallery, photo: PhotoOf) -> None:
    gone = gallery.enrol("A. Lovelace", [photo(1)], encoder=ENCODER)
    gallery.rule_out("A. Lovelace", [photo(8)], encoder=ENCODER)
    ada = gallery.enrol("Ada Lovelace", [photo(2)], encoder=ENCODER)
    start = gallery.position()

    assert gallery.merge("a. lovelace", "ada lovelace") == ada

    assert gallery.people() == [ada]
    assert digests(gallery, "Ada Lovelace") == {photo(1).digest, photo(2).digest}
    assert [p.source for p in gallery.negatives(ada.id)] == [photo(8).source]
    assert encoded(gallery) == in_truth(gallery)
    assert gallery.owner_of(photo(1).digest) == "Ada Lovelace"
    (change,) = gallery.changes(start, block_ms=10)
    assert set(change.people) == {ada.id, gone.id}


def test_one_is_not_merged_with_themselves_or_nobody(gallery: Gallery, photo: PhotoOf) -> None:
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    with pytest.raises(GalleryError, match="Ada is one person: name two"):
        gallery.merge("Ada", "ADA")
    with pytest.raises(NoSuchPerson):
        gallery.merge("Ada", "Ben")
    assert encoded(gallery) == in_truth(gallery)


def test_one_is_split(gallery: Gallery, photo: PhotoOf) -> None:
    ada = gallery.enrol("Ada", [photo(i) for i in range(4)], encoder=ENCODER)
    new = gallery.split("Ada", [photo(1).digest, photo(3).digest], "Annabella")
    assert gallery.people() == [ada, new]
    assert digests(gallery, "Ada") == {photo(0).digest, photo(2).digest}
    assert digests(gallery, "Annabella") == {photo(1).digest, photo(3).digest}
    assert encoded(gallery) == in_truth(gallery)


def test_a_split_that_cant_be_changes_nothing(gallery: Gallery, photo: PhotoOf) -> None:
    gallery.enrol("Ada", [photo(1), photo(2)], encoder=ENCODER)
    gallery.enrol("Ben", [photo(3)], encoder=ENCODER)
    before = in_truth(gallery)
    for chosen, name, sentence in (
        ([photo(1).digest], "Ben", "Ben is enrolled already"),
        ([photo(3).digest], "Cleo", "is not Ada's"),
        ([photo(1).digest, photo(2).digest], "Cleo", "nothing would be left of Ada"),
        ([], "Cleo", "one at least"),
    ):
        with pytest.raises(GalleryError, match=sentence):
            gallery.split("Ada", chosen, name)
    assert in_truth(gallery) == encoded(gallery) == before


def test_what_does_not_show_a_person_is_kept_apart(gallery: Gallery, photo: PhotoOf) -> None:
    ada = gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    gallery.rule_out("ada", [photo(2)], encoder=ENCODER)
    assert digests(gallery, "Ada") == {photo(1).digest}
    assert gallery.count_photos([ada.id]) == [1]
    (records,) = gallery.records(ENCODER)
    assert np.array_equal(records.encodings(NEGATIVE), photo(2).numbers[None])
    assert records.ids(NEGATIVE).tolist() == [ada.id.encode()]
    with pytest.raises(NoSuchPerson):
        gallery.rule_out("Ben", [photo(3)], encoder=ENCODER)
    assert gallery.owner_of(photo(3).digest) is None

    # and the same photo may be enrolled for whom it shows
    gallery.enrol("Ben", [photo(2)], encoder=ENCODER)
    assert digests(gallery, "Ben") == {photo(2).digest}
    # while one that is given twice, or again beside a new one, is kept once
    gallery.rule_out("Ada", [photo(4), photo(2), photo(4)], encoder=ENCODER)
    assert {p.source for p in gallery.negatives(ada.id)} == {"2.jpg", "4.jpg"}
    gallery.remove("Ada")
    assert gallery.count_slots() - gallery.client.llen(gallery.keys.gallery_free) == 1
    assert set(encoded(gallery)) == {gallery.named("Ben").id}


def test_slots_are_used_again_and_strings_grow(
    gallery: Gallery, photo: PhotoOf, client: redis.Redis, keys: Keys
) -> None:
    # Given more photos than one string holds, of which some go and others come
    photos = [photo(i) for i in range(60)]
    for i, one in enumerate(photos):
        gallery.enrol(f"Person {i % 7}", [one], encoder=ENCODER)
    for i in (2, 5):
        gallery.remove(f"Person {i}")
    slots = gallery.count_slots()
    gallery.enrol("New", [photo(100 + i) for i in range(10)], encoder=ENCODER)

    # I expect every encoding to be its owner's, and no slot more
    assert encoded(gallery) == in_truth(gallery)
    assert gallery.count_slots() == slots == 60

    # and the last one removed to leave nothing but the log, and what is to be erased elsewhere
    for person in gallery.people():
        gallery.remove(person.name)
    noted = (keys.gallery_log, keys.gallery_erasing, keys.gallery_unwritten)
    left = {key.encode() for key in noted}
    assert set(client.keys()) == left


def test_the_log_is_kept_short(gallery: Gallery, photo: PhotoOf, client: redis.Redis) -> None:
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    with client.pipeline(transaction=False) as pipe:
        for _ in range(10_300):
            gallery._calibrate(
                keys=[*gallery.script_keys, gallery.keys.encoder("x")],
                args=["x", "{}"],
                client=pipe,
            )
        pipe.execute()
    assert 10_000 <= client.xlen(gallery.keys.gallery_log) <= 10_200
