"""A worker's copy follows the gallery within a second, and never shows half a change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import redis

from facetrail.errors import EncoderMismatch
from facetrail.store import Keys, connect
from facetrail.wire import Encodings
from index import rows as searched
from index.calibration import Calibration
from index.followers import followers
from index.gallery import Gallery
from index.photo import IN_STRING, Photo, Records
from index.reader import Held
from index.replica import APPLIED_TTL_S, Applied, Replica

ENCODER = "dlib_resnet@55533b28"
OTHER = "retail0095@580937da"
CALIBRATION = Calibration(
    threshold=0.31, margin=0.04, fpir=0.01, calibrated_at="2027-01-15T08:00:00+00:00"
)
PhotoOf = Callable[[int], Photo]
WaitFor = Callable[..., None]


@pytest.fixture
def replica(redis_url: str, client: redis.Redis, keys: Keys) -> Iterator[Replica]:
    """One with its own connection, as in a worker."""
    own = connect(redis_url)
    yield Replica(own, keys, worker="one", encoder=ENCODER)
    own.close()


@pytest.fixture
def following(replica: Replica) -> Iterator[Replica]:
    """One that is loaded and follows in a thread."""
    replica.load()
    stop = threading.Event()
    thread = threading.Thread(target=replica.follow, args=(stop,))
    thread.start()
    yield replica
    stop.set()
    thread.join(timeout=5)
    assert not thread.is_alive()


def names(replica: Replica) -> list[str]:
    """Of those in the index."""
    view = replica.view
    return sorted(person.name for person in view.people.those(view.index.people()).values())


def nearest(replica: Replica, probe: Encodings) -> str | None:
    """The name of the nearest person, of one view."""
    view = replica.view
    (candidates,) = view.index.search(probe[None])
    person = view.people.get(candidates[0].person) if candidates else None
    return person.name if person else None


def test_it_loads_who_is_there(replica: Replica, gallery: Gallery, photo: PhotoOf) -> None:
    ada = gallery.enrol("Ada", [photo(1), photo(2)], encoder=ENCODER, external_id="emp-7")
    gallery.enrol("Ben", [photo(3)], encoder=ENCODER)

    replica.load()

    assert names(replica) == ["Ada", "Ben"]
    found = replica.view.people.get(ada.id)
    assert found is not None and found.external_id == "emp-7"
    assert len(replica.view.index) == 3
    assert replica.view.position == gallery.position()
    assert nearest(replica, photo(2).numbers) == "Ada"


def test_changes_are_seen_within_a_second(
    following: Replica, gallery: Gallery, photo: PhotoOf, wait_for: WaitFor
) -> None:
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    wait_for(lambda: nearest(following, photo(1).numbers) == "Ada", timeout_s=1)

    gallery.enrol("Ben", [photo(2)], encoder=ENCODER)
    wait_for(lambda: nearest(following, photo(2).numbers) == "Ben", timeout_s=1)

    gallery.remove("Ada")
    wait_for(lambda: names(following) == ["Ben"], timeout_s=1)
    assert nearest(following, photo(1).numbers) == "Ben"


def test_a_person_enrolled_anew_under_the_same_name_is_seen(
    following: Replica, gallery: Gallery, photo: PhotoOf, wait_for: WaitFor
) -> None:
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    gallery.remove("Ada")
    again = gallery.enrol("Ada", [photo(2)], encoder=ENCODER)
    wait_for(lambda: list(following.view.index.people()) == [again.id], timeout_s=1)
    assert len(following.view.index) == 1


def test_the_applied_position_is_published(
    following: Replica,
    gallery: Gallery,
    client: redis.Redis,
    keys: Keys,
    photo: PhotoOf,
    wait_for: WaitFor,
) -> None:
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    position = gallery.position()
    wait_for(lambda: followers(client, keys)[0].position == position, timeout_s=1)
    (applied,) = followers(client, keys)
    assert applied == Applied(
        worker="one", position=position, forgotten=position, encodings=1, encoder=ENCODER
    )


def test_the_applied_position_stays_while_nothing_changes(
    replica: Replica, client: redis.Redis, keys: Keys
) -> None:
    # Given a follower whose last change is long ago
    replica.load()
    client.expire(keys.applied("one"), 1)

    replica.step(block_ms=1)

    assert 1 < client.ttl(keys.applied("one")) <= APPLIED_TTL_S


def test_a_search_in_progress_keeps_the_view_it_began_with(
    replica: Replica, gallery: Gallery, photo: PhotoOf
) -> None:
    # Given a view that someone searches
    ada = gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    replica.load()
    view = replica.view

    # If the gallery changes meanwhile
    gallery.remove("Ada")
    gallery.enrol("Ben", [photo(2)], encoder=ENCODER)
    replica.step()

    # I expect the old view as it was, and a new one beside it
    (candidates,) = view.index.search(photo(1).numbers[None])
    assert candidates[0].person == ada.id
    assert names(replica) == ["Ben"]

    # but nobody to be called by the name of whoever was removed
    assert view.people.get(ada.id) is None


def test_every_view_is_whole_while_the_gallery_changes(
    following: Replica, gallery: Gallery, photo: PhotoOf, wait_for: WaitFor
) -> None:
    stop = threading.Event()

    def change() -> None:
        for i in range(40):
            gallery.enrol(f"Person {i % 5}", [photo(i)], encoder=ENCODER)
            if i % 7 == 6:
                gallery.remove(f"Person {i % 5}")
        stop.set()

    thread = threading.Thread(target=change)
    thread.start()
    while not stop.is_set():
        view = following.view
        (candidates,) = view.index.search(photo(1).numbers[None])
        assert {candidate.person for candidate in candidates} <= set(view.index.people())
    thread.join()
    wait_for(lambda: following.view.position == gallery.position(), timeout_s=1)
    assert set(following.view.index.people()) == {person.id for person in gallery.people()}


def test_a_gallery_of_another_encoder_is_refused(
    replica: Replica, gallery: Gallery, photo: PhotoOf
) -> None:
    gallery.enrol("Ada", [photo(1)], encoder=OTHER)
    with pytest.raises(EncoderMismatch, match=f"belongs to encoder {OTHER}.*{ENCODER}"):
        replica.load()
    with pytest.raises(EncoderMismatch):
        replica.step(block_ms=1)
    assert names(replica) == []


def test_people_removed_before_the_encoder_changed_are_forgotten(
    replica: Replica, gallery: Gallery, photo: PhotoOf
) -> None:
    # Given a follower that knows Ada
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    replica.load()
    assert names(replica) == ["Ada"]

    # If she is removed and the empty gallery is bound to another encoder at once
    gallery.remove("Ada")
    gallery.enrol("Cleo", [photo(3)], encoder=OTHER)
    with pytest.raises(EncoderMismatch):
        replica.step(block_ms=1)

    # I expect her to be gone here too
    assert len(replica.view.index) == 0

    # and this worker to go on once the gallery is its own again
    gallery.remove("Cleo")
    gallery.enrol("Ben", [photo(2)], encoder=ENCODER)
    replica.step(block_ms=1)
    assert names(replica) == ["Ben"]
    assert replica.view.position == gallery.position()


@pytest.mark.parametrize("had_people", [False, True])
def test_a_follower_of_a_gallery_of_another_encoder_stays_there_and_says_so(
    replica: Replica,
    gallery: Gallery,
    client: redis.Redis,
    keys: Keys,
    photo: PhotoOf,
    wait_for: WaitFor,
    had_people: bool,
) -> None:
    # Given a follower, of people or of an empty gallery, which goes to another encoder
    if had_people:
        gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    replica.load()
    at_first = gallery.position()
    if had_people:
        gallery.remove("Ada")
    gallery.enrol("Cleo", [photo(3)], encoder=OTHER)
    stop, told = threading.Event(), threading.Event()
    thread = threading.Thread(target=replica.follow, args=(stop,), kwargs={"mismatched": told.set})
    thread.start()

    # I expect it to say what is wrong, for as long as it is, and that nobody is in its memory
    def problem() -> str | None:
        return next((one.problem for one in followers(client, keys)), "none is listed")

    wait_for(told.is_set, timeout_s=2)
    assert f"the gallery belongs to encoder {OTHER}" in str(problem())
    assert replica.view.mismatch == problem()
    (applied,) = followers(client, keys)
    assert (applied.position, applied.forgotten) == (at_first, gallery.position())
    client.delete(keys.applied("one"))
    wait_for(lambda: problem() == replica.view.mismatch, timeout_s=3)

    # and to go on when it is its own again
    gallery.remove("Cleo")
    gallery.enrol("Ben", [photo(2)], encoder=ENCODER)
    wait_for(lambda: names(replica) == ["Ben"], timeout_s=3)
    wait_for(lambda: problem() is None, timeout_s=1)
    assert replica.view.mismatch is None
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_a_merge_between_a_change_and_its_reading_is_seen_whole(
    replica: Replica, gallery: Gallery, photo: PhotoOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a follower that hears that Ada has changed
    gallery.enrol("Ben", [photo(1)], encoder=ENCODER)
    replica.load()
    gallery.enrol("Ada", [photo(2)], encoder=ENCODER)
    read = replica._gallery.held

    def held(people: Sequence[str]) -> tuple[str | None, dict[str, Held]]:
        if len(gallery.people()) > 1:
            gallery.merge("Ada", "Ben")
        return read(people)

    # If she turns out to be Ben before it reads what she has, I expect the photo to be his
    monkeypatch.setattr(replica._gallery, "held", held)
    replica.step(block_ms=1)
    assert nearest(replica, photo(2).numbers) == "Ben"
    assert len(replica.view.index) == 2
    assert replica.view.position == gallery.position()


def test_a_merge_while_everyone_is_read_is_seen_whole(
    replica: Replica, gallery: Gallery, photo: PhotoOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given photos of Ada in the first and in the second string of records
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    gallery.enrol("Ben", [photo(2)], encoder=ENCODER)
    for start in range(0, IN_STRING, 512):
        photos = [photo(i) for i in range(10 + start, 10 + start + 512)]
        gallery.enrol("Others", photos, encoder=ENCODER)
    gallery.enrol("Ada", [photo(3)], encoder=ENCODER)
    read = replica._gallery.records

    def records(encoder: str) -> Iterator[Records]:
        first, second = read(encoder), read(encoder)
        yield next(first)
        gallery.merge("Ada", "Ben")
        next(second)
        yield from second

    # If she turns out to be Ben in between, I expect both to be his
    monkeypatch.setattr(replica._gallery, "records", records)
    replica.load()
    assert [nearest(replica, photo(i).numbers) for i in (1, 3)] == ["Ben", "Ben"]
    assert set(names(replica)) == {"Ben", "Others"}
    assert replica.view.position == gallery.position()


@pytest.mark.parametrize(
    "spoiled", [bytes(512), b"\xff" * 512, np.ones(128, "<f4").tobytes(), b"short"]
)
def test_what_cant_be_read_is_left_out_and_the_others_are_followed(
    following: Replica,
    gallery: Gallery,
    keys: Keys,
    photo: PhotoOf,
    wait_for: WaitFor,
    spoiled: bytes,
) -> None:
    # Given an encoding of Ada's that something else has spoiled
    ada = gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    gallery.client.setrange(keys.gallery_rows(f"{ENCODER}:0"), 8, spoiled)

    # If she and Ben change, I expect only the others to be known, whoever reads
    gallery.enrol("Ada", [photo(3)], encoder=ENCODER)
    gallery.enrol("Ben", [photo(4)], encoder=ENCODER)
    wait_for(lambda: len(following.view.index) == 2, timeout_s=1)
    assert following.view.position == gallery.position()
    assert len(following.view.index.people()[ada.id]) == 1
    following.load()
    assert len(following.view.index) == 2


def test_a_follower_outlives_its_connection(
    following: Replica, gallery: Gallery, photo: PhotoOf, wait_for: WaitFor
) -> None:
    gallery.client.client_kill_filter(_type="normal", skipme=True)
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    wait_for(lambda: names(following) == ["Ada"], timeout_s=3)


def test_a_calibration_holds_within_a_second_and_so_does_its_reset(
    following: Replica, gallery: Gallery, photo: PhotoOf, wait_for: WaitFor
) -> None:
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    gallery.calibrate(ENCODER, CALIBRATION)
    wait_for(lambda: following.view.calibration == CALIBRATION, timeout_s=1)
    assert following.view.position == gallery.position()
    assert names(following) == ["Ada"]

    gallery.reset_calibration(ENCODER)
    wait_for(lambda: following.view.calibration is None, timeout_s=1)


def test_a_calibration_of_before_is_loaded_and_another_encoders_is_not(
    replica: Replica, gallery: Gallery
) -> None:
    gallery.calibrate(OTHER, CALIBRATION)
    replica.load()
    assert replica.view.calibration is None

    gallery.calibrate(ENCODER, CALIBRATION)
    replica.load()
    assert replica.view.calibration == CALIBRATION


def add(gallery: Gallery, fields: dict[str, str]) -> None:
    """An entry of the log that goes on from the one before."""
    gallery.client.xadd(gallery.keys.gallery_log, {"previous": gallery.position(), **fields})


def test_a_calibration_that_cant_be_read_leaves_the_encoders_own_in_force(
    following: Replica,
    gallery: Gallery,
    keys: Keys,
    photo: PhotoOf,
    wait_for: WaitFor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gallery.calibrate(ENCODER, CALIBRATION)
    wait_for(lambda: following.view.calibration == CALIBRATION, timeout_s=1)
    gallery.client.set(keys.encoder(ENCODER), "spoiled")
    read_anew = following.load
    monkeypatch.setattr(following, "load", lambda: pytest.fail("it need not be read anew"))
    add(gallery, {"people": "", "encoder": ENCODER})
    wait_for(lambda: following.view.calibration is None, timeout_s=1)
    assert following.view.position == gallery.position()
    read_anew()
    assert following.view.calibration is None
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    wait_for(lambda: names(following) == ["Ada"], timeout_s=1)


def test_an_entry_of_a_later_version_is_passed_over(
    following: Replica,
    gallery: Gallery,
    photo: PhotoOf,
    wait_for: WaitFor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "load", lambda: pytest.fail("it need not be read anew"))
    add(gallery, {"something": "new"})
    wait_for(lambda: following.view.position == gallery.position(), timeout_s=1)
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    wait_for(lambda: names(following) == ["Ada"], timeout_s=1)


def test_a_command_reads_the_gallery_without_a_trace(
    client: redis.Redis, keys: Keys, gallery: Gallery, photo: PhotoOf
) -> None:
    ada = gallery.enrol("Ada", [photo(1), photo(2)], encoder=ENCODER)
    before = sorted(client.keys())
    reader = Replica(client, keys, worker=None, encoder=ENCODER)
    reader.load()
    assert sorted(client.keys()) == before
    assert {person: rows.shape for person, rows in reader.encodings().items()} == {ada.id: (2, 128)}


def copied(client: redis.Redis) -> dict[bytes, bytes]:
    return {key: client.dump(key) for key in client.scan_iter()}


def restore(client: redis.Redis, copy: dict[bytes, bytes]) -> None:
    """All of Redis is again what it was when it was copied."""
    with client.pipeline() as pipe:
        pipe.flushdb()
        for key, value in copy.items():
            pipe.restore(key, 0, value)
        pipe.execute()


def test_a_flushed_redis_is_noticed(
    following: Replica, gallery: Gallery, photo: PhotoOf, wait_for: WaitFor
) -> None:
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    wait_for(lambda: names(following) == ["Ada"], timeout_s=1)
    gallery.client.flushdb()
    wait_for(lambda: len(following.view.index) == 0, timeout_s=2)
    gallery.enrol("Ben", [photo(2)], encoder=ENCODER)
    wait_for(lambda: names(following) == ["Ben"], timeout_s=1)


@pytest.mark.parametrize("changed_since", [False, True])
def test_one_restored_from_a_copy_is_noticed_and_never_mixed(
    following: Replica, gallery: Gallery, photo: PhotoOf, wait_for: WaitFor, changed_since: bool
) -> None:
    # Given a follower that is ahead of a copy in which Ada is not removed and Ben not enrolled
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    copy = copied(gallery.client)
    gallery.remove("Ada")
    gallery.enrol("Ben", [photo(2)], encoder=ENCODER)
    wait_for(lambda: names(following) == ["Ben"], timeout_s=1)

    # If the copy takes the place of the truth, and perhaps goes on at once
    restore(gallery.client, copy)
    if changed_since:
        gallery.enrol("Cleo", [photo(3)], encoder=ENCODER)

    # I expect exactly who is enrolled now
    wait_for(lambda: names(following) == ["Ada"] + ["Cleo"] * changed_since, timeout_s=2)
    assert following.view.position == gallery.position()


def test_who_is_behind_a_trimmed_log_reads_anew(
    replica: Replica, gallery: Gallery, photo: PhotoOf
) -> None:
    replica.load()
    for i in range(20):
        gallery.enrol(f"Person {i}", [photo(i)], encoder=ENCODER)
    gallery.client.xtrim(gallery.keys.gallery_log, maxlen=3, approximate=False)
    replica.step(block_ms=1)
    assert len(replica.view.index) == 20
    assert replica.view.position == gallery.position()


def test_very_many_changes_are_read_at_once(
    replica: Replica, gallery: Gallery, photo: PhotoOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.replica.MOST_APPLIED", 3)
    replica.load()
    for i in range(8):
        gallery.enrol(f"Person {i}", [photo(i)], encoder=ENCODER)
    gallery.remove("Person 0")
    replica.step(block_ms=1)
    assert names(replica) == [f"Person {i}" for i in range(1, 8)]
    assert replica.view.position == gallery.position()


def test_erased_rows_of_a_large_gallery_leave_memory_aside(
    replica: Replica,
    gallery: Gallery,
    photo: PhotoOf,
    wait_for: WaitFor,
    client: redis.Redis,
    keys: Keys,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a large gallery, as codes are made for
    monkeypatch.setattr(searched, "EXACT", 10)
    for i in range(40):
        gallery.enrol(f"Person {i}", [photo(i)], encoder=ENCODER)
    replica.load()

    # If one is removed, they are masked at once, and it is said that they are not yet gone
    gallery.remove("Person 7")
    before = replica.view.position
    replica.step(block_ms=1)
    assert nearest(replica, photo(7).numbers) != "Person 7"
    (applied,) = followers(client, keys)
    assert (applied.position, applied.forgotten) == (gallery.position(), before)
    assert replica.view.index.masked == 1

    # while the index is built anew, changes go on
    gallery.enrol("New", [photo(100)], encoder=ENCODER)
    replica.step(block_ms=1)
    assert nearest(replica, photo(100).numbers) == "New"

    # and in the end nothing of theirs is there
    def forgotten() -> bool:
        replica.step(block_ms=1)
        return followers(client, keys)[0].forgotten == gallery.position()

    wait_for(forgotten)
    assert replica.view.index.masked == 0
    assert nearest(replica, photo(100).numbers) == "New"
    assert len(replica.view.index) == 40
    rows = np.concatenate([part.rows.encodings for part in replica.view.index._parts])
    assert not np.any(np.all(np.isclose(rows, photo(7).numbers), axis=1))


def test_rules_and_faces_that_are_not_theirs_are_followed_and_loaded(
    replica: Replica, gallery: Gallery, photo: PhotoOf
) -> None:
    replica.load()
    ada = gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    ben = gallery.enrol("Ben", [photo(2)], encoder=ENCODER)
    gallery.describe("Ada", ignored=True)
    gallery.rule_out("Ben", [photo(3), photo(4)], encoder=ENCODER)
    for read in (lambda: replica.step(block_ms=1), replica.load):
        read()
        view = replica.view
        assert view.is_ignored(ada.id) and not view.is_ignored(ben.id)
        assert view.negatives[ben.id].shape == (2, 128)
        assert len(view.index) == 2

    gallery.describe("Ada", ignored=False)
    gallery.remove("Ben")
    replica.step(block_ms=1)
    assert (dict(replica.view.rules), dict(replica.view.negatives)) == ({}, {})


def test_workers_that_ended_are_no_longer_listed(
    replica: Replica, client: redis.Redis, keys: Keys
) -> None:
    replica.load()
    assert [one.worker for one in followers(client, keys)] == ["one"]
    client.delete(keys.applied("one"))
    assert followers(client, keys) == []
    assert client.smembers(keys.workers) == set()
