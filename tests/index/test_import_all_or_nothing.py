"""Everyone of an export, or nobody: whoever else changes, dies or goes away meanwhile."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import redis

from facetrail.embedded_redis import EmbeddedRedis
from facetrail.errors import EncoderMismatch, GalleryError
from facetrail.store import Keys, connect
from index.erasure import Eraser
from index.gallery import Gallery
from index.photo import IN_STRING
from index.replica import Replica
from index.transfer.import_file import ImportFile
from index.transfer.importing import check, import_people
from index.transfer.staging import PART_ITEMS, TTL_S, Staging
from index.unfinished import Unfinished
from tests.index.exports import (
    CALIBRATION,
    ENCODER,
    enrol_three,
    everyone,
    everything,
    exported,
    imported,
    never_asked,
    real_photo,
    written,
)

#: Stages a file as an import does, says so and waits, until somebody ends it.
STAGES = """
import sys
from pathlib import Path
from facetrail.store import Keys, connect
from index.gallery import Gallery
from index.transfer.import_file import ImportFile
from index.transfer.staging import Staging

gallery = Gallery(connect(sys.argv[2]), Keys())
with ImportFile(Path(sys.argv[1]), str) as file, Staging(gallery) as staging:
    file.read(staging.take)
    print("staged", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """An export of more people than a part holds, and than an entry of the log names."""
    return written(tmp_path / "many", 2 * PART_ITEMS + 100)


def staged(client: redis.Redis) -> list[bytes]:
    return list(client.scan_iter(match="*gallery:import:*"))


def test_what_a_killed_import_leaves_has_a_time_to_live(
    many: Path, gallery: Gallery, client: redis.Redis, redis_url: str
) -> None:
    # Given an import that is killed when it has staged people, in a gallery with somebody in it
    enrol_three(gallery)
    before = everything(client)
    process = subprocess.Popen(
        [sys.executable, "-c", STAGES, str(many), redis_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None and process.stdout.readline() == "staged\n"
        assert len(staged(client)) > 2 * PART_ITEMS
        process.send_signal(signal.SIGKILL)

    # I expect the gallery as it was, and nothing beside it that stays
    left = everything(client)
    assert before.items() <= left.items()
    assert all(0 < ttl <= TTL_S for key, (_, ttl) in left.items() if key not in before)
    assert set(left) - set(before) == set(staged(client))

    # and another import to come through
    imported(many, gallery)
    assert len(gallery.people()) == 2 * PART_ITEMS + 103


def test_a_redis_that_goes_away_meanwhile_comes_back_with_the_gallery_as_it_was(
    many: Path, tmp_path: Path
) -> None:
    # Given a Redis that ends while people are staged
    server = EmbeddedRedis(tmp_path / "redis")
    client = connect(server.start())
    gallery = Gallery(client, Keys())
    enrol_three(gallery)
    before, keys = everyone(gallery), set(client.scan_iter())
    with pytest.raises(redis.ConnectionError), ImportFile(many, never_asked) as file:
        with Staging(gallery) as staging:
            file.read(staging.take)
            server.stop()
            staging.move_in(ENCODER, None)

    # If it starts again on the same files
    client = connect(server.start())
    found, left = everyone(Gallery(client, Keys())), everything(client)
    server.stop()

    # I expect the gallery as it was, and all else to have a time to live
    assert found == before
    assert left.keys() > keys
    assert {key for key, (_, ttl) in left.items() if ttl == -1} == keys


def test_an_import_leaves_no_key_of_its_own_and_none_of_the_gallery_s_ends(
    many: Path, gallery: Gallery, client: redis.Redis
) -> None:
    enrol_three(gallery)
    imported(many, gallery)
    assert staged(client) == []
    assert {ttl for _, ttl in everything(client).values()} == {-1}


def test_many_are_told_in_entries_of_at_most_500_and_a_worker_follows(
    many: Path, gallery: Gallery, client: redis.Redis, keys: Keys
) -> None:
    # Given a worker that follows a gallery of three
    enrol_three(gallery)
    replica = Replica(client, keys, worker="one", encoder=ENCODER)
    replica.load()
    start = gallery.position()

    imported(many, gallery)

    changes = list(gallery.changes(start, block_ms=10))
    assert [len(change.people) for change in changes] == [500, 500, 100]
    assert [change.previous for change in changes] == [start, *(c.position for c in changes[:-1])]
    replica.step(block_ms=10)
    assert len(replica.view.index) == 2 * PART_ITEMS + 104
    assert replica.encodings().keys() == {person.id for person in gallery.people()}


def test_who_asks_again_after_a_lost_answer_gets_it_and_changes_nothing(
    gallery: Gallery, client: redis.Redis, tmp_path: Path
) -> None:
    # Given people who have moved in
    enrol_three(gallery)
    path = exported(gallery, tmp_path / "people")
    client.flushdb()
    with ImportFile(path, never_asked) as file, Staging(gallery) as staging:
        file.read(staging.take)
        assert staging.move_in(ENCODER, CALIBRATION) == ["ok", "1"]
        before = everything(client)

        # I expect the same answer
        assert staging.move_in(ENCODER, CALIBRATION) == ["ok", "1"]
        after = everything(client)
    assert {key: data for key, (data, _) in after.items()} == {
        key: data for key, (data, _) in before.items()
    }


@pytest.mark.parametrize("kind", ["people", "names", "rows", "photos"])
def test_nobody_moves_in_if_a_part_was_lost(
    many: Path, gallery: Gallery, client: redis.Redis, kind: str
) -> None:
    with ImportFile(many, never_asked) as file, Staging(gallery) as staging:
        file.read(staging.take)
        client.unlink(next(key for key in staged(client) if f":{kind}:".encode() in key))
        assert staging.move_in(ENCODER, None) == ["staged"]
    assert everything(client) == {}


def test_a_lost_part_is_said_in_a_sentence(
    many: Path, gallery: Gallery, client: redis.Redis
) -> None:
    # Given somebody who empties Redis as often as a person is read
    with ImportFile(many, never_asked) as file:
        checked = check(file, gallery, skip_existing=False)
        stop = threading.Event()

        def empty() -> None:
            other = connect_like(client)
            while not stop.is_set():
                other.flushdb()

        thread = threading.Thread(target=empty)
        thread.start()
        try:
            with pytest.raises(GalleryError, match="Redis has lost a part .*: import it again"):
                import_people(file, gallery, checked)
        finally:
            stop.set()
            thread.join()


def connect_like(client: redis.Redis) -> redis.Redis:
    return connect(f"unix://{client.get_connection_kwargs()['path']}")


@pytest.mark.parametrize("existing", [False, True])
def test_who_is_enrolled_between_check_and_move_stops_it(
    gallery: Gallery, client: redis.Redis, tmp_path: Path, existing: bool
) -> None:
    # Given a file that was checked, and somebody of it who is enrolled since
    enrol_three(gallery)
    path = exported(gallery, tmp_path / "people")
    client.flushdb()
    with ImportFile(path, never_asked) as file:
        checked = check(file, gallery, skip_existing=existing)
        gallery.enrol("cleo", [real_photo(40)], encoder=ENCODER)
        before = everything(client)

        # I expect nobody to be imported, and her to be named
        with pytest.raises(GalleryError, match=r"since 1 of .* \(Cleo\): leave them out"):
            import_people(file, gallery, checked)
    assert everything(client) == before


def test_a_gallery_bound_to_another_encoder_since_stops_it(
    gallery: Gallery, client: redis.Redis, tmp_path: Path
) -> None:
    enrol_three(gallery)
    path = exported(gallery, tmp_path / "people")
    client.flushdb()
    with ImportFile(path, never_asked) as file:
        checked = check(file, gallery, skip_existing=False)
        gallery.enrol("Dora", [real_photo(40)], encoder="retail0095@580937da")
        before = everything(client)
        with pytest.raises(EncoderMismatch, match="the gallery belongs to retail0095@580937da"):
            import_people(file, gallery, checked)
    assert everything(client) == before


def test_of_two_imports_of_a_file_at_once_one_comes_through(
    many: Path, gallery: Gallery, client: redis.Redis
) -> None:
    # Given two that have both checked it
    together = threading.Barrier(2)
    outcomes: list[str] = []

    def run() -> None:
        own = Gallery(connect_like(client), gallery.keys)
        with ImportFile(many, never_asked) as file:
            checked = check(file, own, skip_existing=False)
            together.wait()
            try:
                import_people(file, own, checked)
                outcomes.append("imported")
            except GalleryError as error:
                outcomes.append(str(error))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # I expect everyone to be there once
    assert len(outcomes) == 2 and "imported" in outcomes
    (refusal,) = [outcome for outcome in outcomes if outcome != "imported"]
    assert refusal.startswith("nobody was imported, since 5 of ")
    assert len(gallery.people()) == gallery.count_encodings() == 2 * PART_ITEMS + 100
    assert staged(client) == []


def test_enrolments_at_the_same_time_lose_nothing(
    many: Path, gallery: Gallery, client: redis.Redis
) -> None:
    # Given an import, and somebody who enrols others until it is done
    done = threading.Event()
    enrolled: list[str] = []

    def enrol() -> None:
        own = Gallery(connect_like(client), gallery.keys)
        while not done.is_set() or not enrolled:
            seed = 50_000 + len(enrolled)
            photo = real_photo(seed, chip=b"chip")
            enrolled.append(own.enrol(f"Q{seed}", [photo], encoder=ENCODER).id)

    thread = threading.Thread(target=enrol)
    thread.start()
    imported(many, gallery)
    done.set()
    thread.join()

    # I expect all of them, each with their own encoding
    people = {person.id: person for person in gallery.people()}
    assert len(people) == 2 * PART_ITEMS + 100 + len(enrolled)
    replica = Replica(client, gallery.keys, worker=None, encoder=ENCODER)
    replica.load()
    for person, rows in replica.encodings().items():
        seed = int(people[person].name[1:])
        assert rows.tobytes() == real_photo(seed, chip=b"").encoding


def test_staged_keys_are_renewed_while_it_takes_long(
    many: Path, gallery: Gallery, client: redis.Redis
) -> None:
    # Given a file that is read for longer than staged keys live, by a clock of the test's
    now = [0.0]
    with ImportFile(many, never_asked) as file:
        with Staging(gallery, ttl_s=1000, clock=lambda: now[0]) as staging:
            items: list[object] = []
            file.read(items.append)
            for item in items[: PART_ITEMS * 2]:
                staging.take(item)  # type: ignore[arg-type]
            for key in staged(client):
                client.expire(key, 10)  # as if 990 s had passed
            now[0] = 990.0
            for item in items[PART_ITEMS * 2 :]:
                staging.take(item)  # type: ignore[arg-type]

            # I expect all of them to have their time anew, and to move in
            assert min(client.ttl(key) for key in staged(client)) > 900
            assert staging.move_in(ENCODER, None) == ["ok", "0"]
    assert len(gallery.people()) == 2 * PART_ITEMS + 100


def test_more_than_a_string_of_records_moves_in_around_those_who_are_there(
    gallery: Gallery, client: redis.Redis, tmp_path: Path
) -> None:
    # Given free slots here and there, and more people than there are records in a string
    for number in range(40):
        gallery.enrol(f"Q{number}", [real_photo(number, chip=b"chip")], encoder=ENCODER)
    for number in (0, 1, 2, 7, 20, 21, 39):
        gallery.remove(f"Q{number}")

    imported(written(tmp_path / "people", IN_STRING + 20), gallery)

    # I expect no slot to be lost, and everyone to have their own encoding
    assert gallery.count_slots() == gallery.count_encodings() == IN_STRING + 20 + 33
    assert client.llen(gallery.keys.gallery_free) == 0
    people = {person.id: person for person in gallery.people()}
    replica = Replica(client, gallery.keys, worker=None, encoder=ENCODER)
    replica.load()
    encodings = replica.encodings()
    assert encodings.keys() == people.keys()
    for person, rows in encodings.items():
        seed = int(people[person].name[1:])
        assert rows.tobytes() == real_photo(seed, chip=b"").encoding


@pytest.mark.parametrize("cut_off", [False, True])
def test_who_was_erased_and_comes_back_is_spoken_of_again(
    gallery: Gallery, client: redis.Redis, keys: Keys, tmp_path: Path, cut_off: bool
) -> None:
    # Given Ben, who is erased after an export, to the end or not
    enrol_three(gallery)
    path = exported(gallery, tmp_path / "people")
    everyone = gallery.people()
    for person in everyone:
        if cut_off:
            gallery.remove(person.name)
        else:
            Eraser(gallery).erase([person.name])

    imported(path, gallery)

    # I expect nothing to hush him, nor another erasure to go on with him
    assert gallery.people() == everyone
    assert not any(client.exists(keys.erased(person.id)) for person in everyone)
    assert not client.exists(keys.gallery_erasing)


def test_an_import_killed_right_after_its_move_leaves_nobody_hushed(
    gallery: Gallery, client: redis.Redis, keys: Keys, tmp_path: Path
) -> None:
    # Given people of whom most are erased after an export
    enrol_three(gallery)
    path = exported(gallery, tmp_path / "people")
    people = gallery.people()
    Eraser(gallery).erase([person.name for person in people])
    client.set(keys.erased("0" * 12), 1)

    # If they move in, and nothing comes after that
    with ImportFile(path, never_asked) as file, Staging(gallery) as staging:
        file.read(staging.take)
        assert staging.move_in(ENCODER, None)[0] == "ok"
    Unfinished(gallery).finish()  # a worker does, now and then
    left = list(client.scan_iter(keys.erased("*")))

    # I expect everyone of them to be spoken of, and nobody else
    assert left == [keys.erased("0" * 12).encode()]


def test_who_was_merged_and_comes_back_is_themselves(
    gallery: Gallery, client: redis.Redis, keys: Keys, tmp_path: Path
) -> None:
    # Given Ada, merged into Ben by mistake, who has none of her photos any more
    enrol_three(gallery)
    path = exported(gallery, tmp_path / "people")
    ada, ben, _ = everyone = gallery.people()
    gallery.merge(ada.name, ben.name)
    Unfinished(gallery).finish()
    assert client.exists(keys.merged(ada.id))
    for person in gallery.people():
        gallery.remove(person.name)

    imported(path, gallery)

    assert gallery.people() == everyone
    assert not client.exists(keys.merged(ada.id), keys.gallery_returned)
    Eraser(gallery).erase([ben.name])
    assert not client.exists(keys.erased(ada.id))


def test_an_import_that_is_refused_leaves_the_erased_hushed(
    gallery: Gallery, client: redis.Redis, keys: Keys, tmp_path: Path
) -> None:
    enrol_three(gallery)
    path = exported(gallery, tmp_path / "people")
    ada = gallery.named("Ada Straße").id
    Eraser(gallery).erase(["Ada Straße"])
    with ImportFile(path, never_asked) as file, Staging(gallery) as staging:
        file.read(staging.take)
        assert staging.move_in(ENCODER, None)[0] == "there"
    assert client.exists(keys.erased(ada))


def test_an_import_waits_for_an_erasure_and_not_for_ever(
    gallery: Gallery, client: redis.Redis, tmp_path: Path
) -> None:
    # Given an erasure that goes on
    enrol_three(gallery)
    path = exported(gallery, tmp_path / "people")
    client.flushdb()
    with ImportFile(path, never_asked) as file:
        checked = check(file, gallery, skip_existing=False)
        with Unfinished(gallery).alone():
            # I expect nobody to be imported while it does
            with pytest.raises(GalleryError, match="still at what was begun before: try again"):
                import_people(file, gallery, checked, wait_s=0.2)
            assert gallery.people() == [] and staged(client) == []

        # and everyone once it is done
        import_people(file, gallery, checked)
    assert len(gallery.people()) == 3
