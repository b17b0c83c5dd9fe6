"""Who is enrolled: changed as a whole or not at all, and forgotten without a trace."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import redis

from facetrail.errors import EncoderMismatch, GalleryError, NoSuchPerson
from facetrail.store import Keys
from index.calibration import Calibration
from index.gallery import Gallery
from index.person import MOST_NAME
from index.photo import Photo

ENCODER = "dlib_resnet@55533b28"
CALIBRATION = Calibration(
    threshold=0.31, margin=0.04, fpir=0.01, calibrated_at="2027-01-15T08:00:00+00:00"
)
PhotoOf = Callable[[int], Photo]


def everything(client: redis.Redis) -> dict[bytes, object]:
    """All keys of Redis and what they hold."""
    read = {
        b"hash": client.hgetall,
        b"string": client.get,
        b"stream": lambda key: client.xrange(key),
        b"set": client.smembers,
        b"list": lambda key: client.lrange(key, 0, -1),
    }
    return {key: read[client.type(key)](key) for key in client.scan_iter()}


def test_an_enrolled_person_is_found_by_name_and_by_id(gallery: Gallery, photo: PhotoOf) -> None:
    ada = gallery.enrol("Ada", [photo(1), photo(2)], encoder=ENCODER, external_id="emp-7")

    assert (ada.name, ada.external_id) == ("Ada", "emp-7")
    assert gallery.named("Ada") == gallery.person(ada.id) == ada
    assert gallery.people() == [ada]
    assert gallery.encoder == ENCODER
    assert sorted(found.digest for found in gallery.photos(ada.id)) == sorted(
        [photo(1).digest, photo(2).digest]
    )
    assert gallery.owner_of(photo(1).digest) == "Ada"
    assert gallery.owner_of(photo(3).digest) is None


def test_an_empty_gallery_has_nobody_and_no_encoder(gallery: Gallery) -> None:
    assert gallery.people() == []
    assert gallery.encoder is None
    assert gallery.position() == "0-0"


def test_a_photo_keeps_its_numbers(gallery: Gallery, photo: PhotoOf) -> None:
    ada = gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    (found,) = gallery.photos(ada.id)
    assert found == photo(1)
    assert found.numbers.shape == (128,)
    assert found.numbers.tobytes() == photo(1).encoding


@pytest.mark.parametrize("spelling", ["ADA STRASSE", "ada straße", "  Ada Straße "])
def test_a_name_in_another_spelling_is_the_same_person(
    gallery: Gallery, photo: PhotoOf, spelling: str
) -> None:
    first = gallery.enrol("Ada Straße", [photo(1)], encoder=ENCODER)
    again = gallery.enrol(spelling, [photo(2)], encoder=ENCODER)

    assert again == first
    assert gallery.named(spelling) == first
    assert len(gallery.photos(first.id)) == 2
    assert gallery.remove(spelling) == first
    assert gallery.people() == []


def test_one_name_in_two_unicode_forms_is_one_person(gallery: Gallery, photo: PhotoOf) -> None:
    composed, decomposed = "Jos\u00e9", "Jose\u0301"  # a folder's name on macOS is the second
    first = gallery.enrol(composed, [photo(1)], encoder=ENCODER)
    assert gallery.enrol(decomposed, [photo(2)], encoder=ENCODER) == first


def test_one_name_with_other_spaces_is_one_person(gallery: Gallery, photo: PhotoOf) -> None:
    first = gallery.enrol("山田\u3000太郎", [photo(1)], encoder=ENCODER)
    assert first.name == "山田 太郎"
    assert gallery.enrol("山田 太郎", [photo(2)], encoder=ENCODER) == first
    assert gallery.named("\u00a0山田\u3000太郎") == first


def test_a_name_of_ten_megabytes_is_refused_in_a_short_sentence(gallery: Gallery) -> None:
    for ask in (gallery.named, gallery.remove):
        with pytest.raises(NoSuchPerson) as caught:
            ask("x" * 10_000_000)
        assert len(str(caught.value)) < 200
    with pytest.raises(GalleryError, match="got 10000000: 'x{40}'$"):
        gallery.enrol("x" * 10_000_000, [], encoder=ENCODER)


def test_people_come_by_name(gallery: Gallery, photo: PhotoOf) -> None:
    for i, name in enumerate(("cleo", "Ada", "ben")):
        gallery.enrol(name, [photo(i)], encoder=ENCODER)
    assert [person.name for person in gallery.people()] == ["Ada", "ben", "cleo"]


def test_a_photo_that_is_enrolled_already_changes_nothing(
    client: redis.Redis, gallery: Gallery, photo: PhotoOf
) -> None:
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    before = everything(client)

    with pytest.raises(GalleryError, match="Ben: a photo is already enrolled for Ada"):
        gallery.enrol("Ben", [photo(2), photo(1)], encoder=ENCODER)

    assert everything(client) == before


def test_photos_given_again_are_kept_once(gallery: Gallery, photo: PhotoOf) -> None:
    # Given somebody of whom an answer was lost on its way
    ada = gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    gallery.enrol("Ada", [photo(2)], encoder=ENCODER)

    assert gallery.enrol("ada", [photo(2), photo(3)], encoder=ENCODER) == ada

    assert len(gallery.photos(ada.id)) == gallery.count_encodings() == 3


def test_another_encoder_is_refused_with_the_mend_and_changes_nothing(
    client: redis.Redis, gallery: Gallery, photo: PhotoOf
) -> None:
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    before = everything(client)

    with pytest.raises(EncoderMismatch) as caught:
        gallery.enrol("Ben", [photo(2)], encoder="retail0095@580937da")

    assert ENCODER in str(caught.value)
    assert "set FACETRAIL_ENCODER=dlib_resnet" in str(caught.value)
    assert everything(client) == before


def test_an_emptied_gallery_takes_any_encoder(gallery: Gallery, photo: PhotoOf) -> None:
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    gallery.remove("Ada")
    assert gallery.encoder is None
    gallery.enrol("Ben", [photo(1)], encoder="retail0095@580937da")
    assert gallery.encoder == "retail0095@580937da"


@pytest.mark.parametrize("name", ["", "   ", "Ada\nBen", "A\x00da", "\x1b[31mAda", "\udc80"])
def test_a_name_that_cant_be_shown_is_refused(
    client: redis.Redis, gallery: Gallery, photo: PhotoOf, name: str
) -> None:
    with pytest.raises(GalleryError, match="a person's name has 1 to 200 printable characters"):
        gallery.enrol(name, [photo(1)], encoder=ENCODER)
    assert everything(client) == {}


def test_a_name_may_be_long_but_not_longer(gallery: Gallery, photo: PhotoOf) -> None:
    assert gallery.enrol("x" * MOST_NAME, [photo(1)], encoder=ENCODER).name == "x" * MOST_NAME
    with pytest.raises(GalleryError, match="got 201: 'x{40}'$"):
        gallery.enrol("x" * (MOST_NAME + 1), [photo(2)], encoder=ENCODER)


def test_nobody_is_enrolled_without_a_photo(client: redis.Redis, gallery: Gallery) -> None:
    with pytest.raises(GalleryError, match="Ada: expected at least one accepted photo, got none"):
        gallery.enrol("Ada", [], encoder=ENCODER)
    assert everything(client) == {}


def test_nothing_is_left_of_a_removed_person(
    client: redis.Redis, gallery: Gallery, keys: Keys, photo: PhotoOf
) -> None:
    # Given two people, one of whom is removed
    ada = gallery.enrol("Ada Lovelace", [photo(1), photo(2)], encoder=ENCODER, external_id="e-7")
    ben = gallery.enrol("Ben", [photo(3)], encoder=ENCODER)
    assert gallery.remove("ada lovelace") == ada

    # I expect her id in the log, and among those of whom events are to be erased, and in no other
    # place; and nothing else of hers anywhere
    rest = everything(client)
    log = (rest.pop(keys.gallery_log.encode()), rest.pop(keys.gallery_erasing.encode()))
    for trace in (ada.id, "Lovelace", "lovelace", "e-7", photo(1).digest, "chip 1", "chip 2"):
        assert trace not in str(rest), trace
        assert trace == ada.id or trace not in str(log), trace
    assert str(photo(1).encoding)[2:-1] not in str(rest)
    assert gallery.people() == [ben]
    with pytest.raises(NoSuchPerson):
        gallery.named("Ada Lovelace")
    with pytest.raises(NoSuchPerson):
        gallery.person(ada.id)
    assert gallery.photos(ada.id) == []


def test_a_removed_person_may_be_enrolled_anew(gallery: Gallery, photo: PhotoOf) -> None:
    first = gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    gallery.remove("Ada")
    again = gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    assert again.id != first.id
    assert gallery.people() == [again]


def test_a_late_removal_does_not_touch_who_took_the_name_since(
    gallery: Gallery, photo: PhotoOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given someone who asks for Ada's removal while she is removed and enrolled anew
    ada = gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    gallery.remove("Ada")
    again = gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    late = Gallery(gallery.client, gallery.keys)
    monkeypatch.setattr(late, "named", lambda name: ada)

    with pytest.raises(NoSuchPerson, match="removed meanwhile"):
        late.remove("Ada")

    assert gallery.named("Ada") == again
    assert gallery.owner_of(photo(1).digest) == "Ada"


def test_removing_nobody_is_refused_with_the_mend(gallery: Gallery) -> None:
    with pytest.raises(NoSuchPerson, match="nobody called 'Ada' is enrolled: `facetrail people"):
        gallery.remove("Ada")


def test_the_log_tells_each_change_in_order(gallery: Gallery, photo: PhotoOf) -> None:
    start = gallery.position()
    ada = gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    ben = gallery.enrol("Ben", [photo(2)], encoder=ENCODER)
    gallery.remove("Ada")

    changes = list(gallery.changes(start, block_ms=100))
    assert [change.people for change in changes] == [(ada.id,), (ben.id,), (ada.id,)]
    assert [change.previous for change in changes] == [start, *(c.position for c in changes[:-1])]
    assert changes[-1].position == gallery.position()
    assert list(gallery.changes(changes[-1].position, block_ms=10)) == []


def test_enrolments_at_one_time_lose_nothing(gallery: Gallery, photo: PhotoOf) -> None:
    # Given eight threads that enrol photos of one person
    def enrol(i: int) -> None:
        gallery.enrol("Ada", [photo(i)], encoder=ENCODER)

    threads = [threading.Thread(target=enrol, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # I expect one person with all of them
    (ada,) = gallery.people()
    assert len(gallery.photos(ada.id)) == 8


def test_two_systems_share_a_redis(client: redis.Redis, photo: PhotoOf) -> None:
    one, other = Gallery(client, Keys("one:")), Gallery(client, Keys("other:"))
    one.enrol("Ada", [photo(1)], encoder=ENCODER)
    assert other.people() == []
    other.enrol("Ada", [photo(1)], encoder="retail0095@580937da")
    assert one.encoder == ENCODER


def test_a_calibration_holds_for_its_encoder_until_it_is_reset(
    gallery: Gallery, photo: PhotoOf
) -> None:
    assert gallery.calibration(ENCODER) is None
    gallery.calibrate(ENCODER, CALIBRATION)
    assert gallery.calibration(ENCODER) == CALIBRATION

    # neither people nor another encoder change it
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    gallery.remove("Ada")
    assert gallery.calibration("retail0095@580937da") is None
    assert gallery.calibration(ENCODER) == CALIBRATION

    assert gallery.reset_calibration(ENCODER)
    assert gallery.calibration(ENCODER) is None


def test_a_calibration_is_an_entry_of_the_log_and_a_reset_of_nothing_is_none(
    gallery: Gallery, photo: PhotoOf
) -> None:
    ada = gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    gallery.calibrate(ENCODER, CALIBRATION)
    gallery.reset_calibration(ENCODER)
    assert not gallery.reset_calibration(ENCODER)

    changes = list(gallery.changes("0-0", block_ms=100))
    assert [(change.people, change.encoder) for change in changes] == [
        ((ada.id,), None),
        ((), ENCODER),
        ((), ENCODER),
    ]


@pytest.mark.parametrize(
    "spoiled",
    [
        b"no json",
        b"{}",
        b'{"threshold": 0, "margin": 0, "fpir": 0.01, "calibrated_at": ""}',
        b'{"threshold": 2.5, "margin": 0, "fpir": 0.01, "calibrated_at": ""}',
        b'{"threshold": 1, "margin": -1, "fpir": 0.01, "calibrated_at": ""}',
    ],
)
def test_a_calibration_that_cant_be_read_is_refused_with_the_mend(
    gallery: Gallery, keys: Keys, spoiled: bytes
) -> None:
    gallery.client.set(keys.encoder(ENCODER), spoiled)
    with pytest.raises(GalleryError, match=f"{ENCODER}.*`facetrail calibrate --reset`"):
        gallery.calibration(ENCODER)
    assert gallery.reset_calibration(ENCODER)
    assert gallery.calibration(ENCODER) is None


def test_words_that_are_no_utf_8_are_refused(gallery: Gallery, photo: PhotoOf) -> None:
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    with pytest.raises(NoSuchPerson, match="nobody called"):
        gallery.named("\udcff")
    with pytest.raises(GalleryError, match="the notes are not UTF-8"):
        gallery.describe("Ada", notes="\udcff")
