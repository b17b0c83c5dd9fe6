"""The gallery moves to another encoder while the old one serves, and switches in one step."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from facetrail.errors import EncoderMismatch, GalleryError
from facetrail.wire import Chips, Encodings
from index.gallery import Gallery
from index.photo import Photo
from index.re_encode import LEASE_S, ReEncoding
from index.replica import Replica

OLD = "old@00000000"


class Projected:
    """Chips by a random projection of their pixels."""

    id = "new@11111111"
    threshold, margin = 1.0, 0.1

    def encode(self, chips: Chips) -> Encodings:
        small = chips[:, ::8, ::8].reshape(len(chips), -1).astype(np.float32) - 128
        rows = small @ np.random.default_rng(0).normal(size=(small.shape[1], 128))
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@pytest.fixture
def chip_photo(unit: Callable[..., Encodings]) -> Callable[[int], Photo]:
    """`chip_photo(seed)`: a photo with a real chip and the old encoder's encoding."""

    def made(seed: int) -> Photo:
        picture = np.random.default_rng(seed).integers(0, 256, (14, 14, 3), dtype=np.uint8)
        large = cv2.resize(picture, (112, 112), interpolation=cv2.INTER_NEAREST)
        chip = cv2.imencode(".jpg", large)[1].tobytes()
        digest = hashlib.sha256(chip).hexdigest()
        encoding = unit(1, seed)[0].tobytes()
        return Photo(digest=digest, source=f"{seed}.jpg", encoding=encoding, chip=chip)

    return made


PhotoOf = Callable[[int], Photo]


def expected(photo: Photo) -> bytes:
    picture = cv2.imdecode(np.frombuffer(photo.chip, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    return Projected().encode(picture[None])[0].tobytes()


def by_digest(gallery: Gallery) -> dict[str, bytes]:
    every = (gallery.photos(person.id) for person in gallery.people())
    return {photo.digest: photo.encoding for photos in every for photo in photos}


def test_every_photo_is_encoded_anew_and_the_encoder_is_another(
    gallery: Gallery, chip_photo: PhotoOf
) -> None:
    photos = [chip_photo(i) for i in range(40)]
    for i, photo in enumerate(photos):
        gallery.enrol(f"Person {i % 9}", [photo], encoder=OLD)
    gallery.rule_out("Person 1", [chip_photo(50)], encoder=OLD)

    assert ReEncoding(gallery, Projected()).run() == 41

    assert gallery.encoder == Projected.id
    found = by_digest(gallery)
    for photo in photos:
        one, other = np.frombuffer(found[photo.digest], "<f4"), expected(photo)
        assert np.allclose(one, np.frombuffer(other, "<f4"), atol=1e-5)
    (other,) = gallery.negatives(gallery.named("Person 1").id)
    assert np.allclose(other.numbers, np.frombuffer(expected(chip_photo(50)), "<f4"), atol=1e-5)

    # a worker with the new encoder knows them all
    replica = Replica(gallery.client, gallery.keys, worker=None, encoder=Projected.id)
    replica.load()
    assert len(replica.view.index) == 40
    # and nothing is left of the old one's
    assert not list(gallery.client.scan_iter(f"*{OLD}*"))


def test_the_old_encoder_serves_and_changes_go_on_meanwhile(
    gallery: Gallery, chip_photo: PhotoOf
) -> None:
    # Given people of whom, while they are encoded, one goes, one comes, two merge and one gets more
    for i in range(5):
        gallery.enrol(f"Person {i}", [chip_photo(i)], encoder=OLD)

    def meanwhile(people: list[str]) -> Iterator[str]:
        yield from people
        gallery.remove("Person 0")
        gallery.enrol("New", [chip_photo(10)], encoder=OLD)
        gallery.merge("Person 1", "Person 2")
        gallery.enrol("Person 3", [chip_photo(11)], encoder=OLD)
        replica = Replica(gallery.client, gallery.keys, worker=None, encoder=OLD)
        replica.load()
        assert len(replica.view.index) == 6

    ReEncoding(gallery, Projected()).run(meanwhile)

    # I expect everyone who is there now to be of the new encoder
    found = by_digest(gallery)
    assert set(found) == {chip_photo(i).digest for i in (1, 2, 3, 4, 10, 11)}
    for i in (1, 2, 3, 4, 10, 11):
        one = np.frombuffer(found[chip_photo(i).digest], "<f4")
        assert np.allclose(one, np.frombuffer(expected(chip_photo(i)), "<f4"), atol=1e-5)


def test_a_follower_knows_everyone_again_after_a_move_there_and_back(
    gallery: Gallery, chip_photo: PhotoOf
) -> None:
    class Back(Projected):
        id = OLD

    for i in range(5):
        gallery.enrol(f"Person {i}", [chip_photo(i)], encoder=OLD)
    replica = Replica(gallery.client, gallery.keys, worker=None, encoder=OLD)
    replica.load()
    ReEncoding(gallery, Projected()).run()
    with pytest.raises(EncoderMismatch):
        replica.step(block_ms=1)
    assert len(replica.view.index) == 0
    ReEncoding(gallery, Back()).run()
    replica.step(block_ms=1)
    assert len(replica.view.index) == 5
    assert replica.view.position == gallery.position()


def test_one_that_was_given_up_leaves_nothing_and_may_begin_again(
    gallery: Gallery, chip_photo: PhotoOf
) -> None:
    gallery.enrol("Ada", [chip_photo(1)], encoder=OLD)
    before = sorted(gallery.client.keys())

    def given_up(people: list[str]) -> Iterator[str]:
        yield from people
        raise KeyboardInterrupt

    moving = ReEncoding(gallery, Projected())
    with pytest.raises(KeyboardInterrupt):
        moving.run(given_up)
    assert gallery.encoder == OLD
    moving.cancel()
    assert sorted(gallery.client.keys()) == before

    # and one that was killed holds up the next for a while
    with pytest.raises(KeyboardInterrupt):
        ReEncoding(gallery, Projected()).run(given_up)
    with pytest.raises(GalleryError, match="somebody is moving the gallery"):
        ReEncoding(gallery, Projected()).run()
    (held,) = gallery.client.scan_iter("*:by")
    assert 0 < gallery.client.ttl(held) <= LEASE_S
    gallery.client.delete(held)
    assert ReEncoding(gallery, Projected()).run() == 1
    assert gallery.encoder == Projected.id
    assert not list(gallery.client.scan_iter("*next_encoder*"))


class Third(Projected):
    id = "third@22222222"


@pytest.mark.parametrize("other", [Projected, Third])
def test_two_at_once_do_not_undo_each_other_s_work(
    gallery: Gallery, chip_photo: PhotoOf, other: type[Projected]
) -> None:
    gallery.enrol("Ada", [chip_photo(1)], encoder=OLD)

    def meanwhile(people: list[str]) -> Iterator[str]:
        yield from people
        second = ReEncoding(gallery, other())
        with pytest.raises(GalleryError, match="wait until that is done, or 60 s if it was killed"):
            second.run()
        second.cancel()

    assert ReEncoding(gallery, Projected()).run(meanwhile) == 1
    assert gallery.encoder == Projected.id
    assert np.allclose(
        np.frombuffer(by_digest(gallery)[chip_photo(1).digest], "<f4"),
        np.frombuffer(expected(chip_photo(1)), "<f4"),
        atol=1e-5,
    )


def test_one_whose_answers_are_lost_and_asked_for_again_ends_well(
    gallery: Gallery, chip_photo: PhotoOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a connection that breaks behind every call, so that each is made twice
    gallery.enrol("Ada", [chip_photo(1)], encoder=OLD)
    moving = ReEncoding(gallery, Projected())
    script = moving._script

    def twice(**call: list[str | bytes]) -> bytes:
        script(**call)
        answer: bytes = script(**call)
        return answer

    monkeypatch.setattr(moving, "_script", twice)
    assert moving.run() == 1
    assert gallery.encoder == Projected.id
    entries = [fields[b"encoder"] for _, fields in gallery.client.xrange(gallery.keys.gallery_log)]
    assert entries == [b"", Projected.id.encode()]


def test_what_is_removed_meanwhile_is_gone_from_both(gallery: Gallery, chip_photo: PhotoOf) -> None:
    gallery.enrol("Ada", [chip_photo(1)], encoder=OLD)
    gallery.enrol("Ben", [chip_photo(2)], encoder=OLD)

    def interrupted(people: list[str]) -> Iterator[str]:
        yield from people
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ReEncoding(gallery, Projected()).run(interrupted)
    gallery.remove("Ada")
    for key in gallery.client.scan_iter("*rows*"):
        held = gallery.client.get(key)
        assert chip_photo(1).encoding not in held
        assert expected(chip_photo(1))[:64] not in held


def test_nobody_the_same_and_a_spoiled_chip_are_refused(
    gallery: Gallery, photo: PhotoOf, chip_photo: PhotoOf
) -> None:
    with pytest.raises(GalleryError, match="nobody is enrolled"):
        ReEncoding(gallery, Projected()).run()
    gallery.enrol("Ada", [photo(1)], encoder=OLD)
    with pytest.raises(GalleryError, match=r"chip of photo \w{12} \(1.jpg\) can't be read"):
        ReEncoding(gallery, Projected()).run()
    assert gallery.encoder == OLD
    gallery.remove("Ada")
    gallery.enrol("Ada", [chip_photo(1)], encoder=Projected.id)
    with pytest.raises(GalleryError, match="is of encoder new@11111111 already"):
        ReEncoding(gallery, Projected()).run()
