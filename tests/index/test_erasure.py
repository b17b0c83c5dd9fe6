"""After a removal nothing of a person is anywhere: the test looks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
import redis

from facetrail.embedded_redis import EmbeddedRedis
from facetrail.erasure import erase
from facetrail.errors import NoSuchPerson
from facetrail.events import replay
from facetrail.redis_files import files_of, found_in, is_writing
from facetrail.sightings import Sighting, is_stranger, of
from facetrail.snapshots import Snapshot
from facetrail.store import Keys, connect
from facetrail.wire import Quality
from index import rows as searched
from index.copies import copies_of
from index.erasure import Eraser
from index.gallery import Gallery
from index.photo import Photo
from index.replica import Replica
from index.traces import Trace, traces_of

ENCODER = "dlib_resnet@55533b28"
PhotoOf = Callable[[int], Photo]
WaitFor = Callable[..., None]


@pytest.fixture
def own(server: EmbeddedRedis) -> Gallery:
    return Gallery(connect(server.url), Keys())


@pytest.mark.parametrize("exact", [20_000, 5])
def test_nothing_is_left_in_redis_its_files_or_a_worker(
    own: Gallery,
    server: EmbeddedRedis,
    photo: PhotoOf,
    wait_for: WaitFor,
    monkeypatch: pytest.MonkeyPatch,
    exact: int,
) -> None:
    # Given a worker that knows Ada and others, in a small gallery or a large one
    monkeypatch.setattr(searched, "EXACT", exact)
    for i in range(40):
        own.enrol(f"Person {i}", [photo(i)], encoder=ENCODER)
    own.enrol("Ada", [photo(100), photo(101)], encoder=ENCODER, external_id="e-7")
    own.rule_out("Ada", [photo(102)], encoder=ENCODER)
    ada = own.named("Ada")
    replica = Replica(connect(server.url), Keys(), worker="one", encoder=ENCODER)
    replica.load()
    stop = threading.Event()
    follower = threading.Thread(target=replica.follow, args=(stop,))
    follower.start()
    files = files_of(own.client)
    assert files is not None
    data = [
        trace for trace in traces_of(own, ada, copies_of(own, [ada])) if trace.kind == "encoding"
    ]
    assert len(data) == 3
    wait_for(lambda: any(found_in(file, [one.data for one in data]) for file in files))

    # If she is removed
    eraser = Eraser(own)
    erasure = eraser.erase(["ada"])
    proof = eraser.proof(erasure)
    stop.set()
    follower.join()

    # I expect the proof to hold, and to see it with my own eyes
    assert proof.holds, proof
    assert proof.workers == ["one"]
    assert proof.files
    on_disk = b"".join(file.read_bytes() for file in files_of(own.client) or [])
    assert not any(piece in on_disk for trace in data for piece in trace.pieces)
    others = Trace("encoding", photo(7).encoding)  # packed or not, it is seen
    assert any(piece in on_disk for piece in others.pieces)
    rows = np.concatenate([part.rows.encodings for part in replica.view.index._parts])
    for number in (100, 101, 102):
        assert not np.any(np.all(np.isclose(rows, photo(number).numbers, atol=1e-2), axis=1))
    assert replica.view.people.get(ada.id) is None
    assert replica.view.negatives == {}
    assert len(replica.view.index) == 40


def test_what_is_left_is_found(own: Gallery, photo: PhotoOf) -> None:
    own.enrol("Ada", [photo(1)], encoder=ENCODER)
    eraser = Eraser(own)
    erasure = eraser.erase(["Ada"])
    for kind, value in {"string": photo(1).encoding, "name": b'{"name":"Ada"}'}.items():
        own.client.set(f"facetrail:{kind}", b"before" + value + b"after")
    own.client.xadd("facetrail:stream", {"a": photo(1).chip})
    own.client.rpush("facetrail:list", photo(1).digest)
    own.client.zadd("facetrail:zset", {erasure.people[0].id: 1})

    proof = eraser.proof(erasure)

    assert not proof.holds
    assert {(one.kind, one.place.removeprefix("facetrail:")) for one in proof.found} >= {
        ("encoding", "string"),
        ("name", "name"),
        ("chip", "stream"),
        ("digest", "list"),
        ("id", "zset"),
    }


def test_a_worker_that_has_not_followed_leaves_it_unproven(own: Gallery, photo: PhotoOf) -> None:
    own.enrol("Ada", [photo(1)], encoder=ENCODER)
    Replica(own.client, own.keys, worker="slow", encoder=ENCODER).load()
    eraser = Eraser(own, wait_s=2.0)
    proof = eraser.proof(eraser.erase(["Ada"]))
    assert (proof.holds, proof.unsure, proof.workers) == (False, ["slow"], [])


def test_all_are_erased_or_nobody(own: Gallery, photo: PhotoOf) -> None:
    own.enrol("Ada", [photo(1)], encoder=ENCODER)
    with pytest.raises(NoSuchPerson):
        Eraser(own).erase(["Ada", "Ben"])
    assert own.named("Ada")


def test_a_photo_of_one_that_does_not_show_another_goes_with_whom_it_shows(
    own: Gallery, photo: PhotoOf
) -> None:
    # Given Ada, for whom Ben was taken: her photo says that this is not him
    ada = own.enrol("Ada", [photo(1), photo(2)], encoder=ENCODER)
    ben = own.enrol("Ben", [photo(3)], encoder=ENCODER)
    own.rule_out("Ben", [photo(1), photo(4)], encoder=ENCODER)
    replica = Replica(own.client, own.keys, worker="one", encoder=ENCODER)
    replica.load()

    # If he is removed, her photo is hers, and the proof knows that
    eraser = Eraser(own)
    copy = own.photos(ada.id)
    erasure = eraser.erase(["Ben"])
    replica.step(block_ms=1)
    assert eraser.proof(erasure).holds
    assert own.photos(ada.id) == copy

    # If he is there again, and she is removed, it goes from his, too
    ben = own.enrol("Ben", [photo(3)], encoder=ENCODER)
    own.rule_out("Ben", [photo(1), photo(4)], encoder=ENCODER)
    replica.step(block_ms=1)
    erasure = eraser.erase(["Ada"])
    replica.step(block_ms=1)
    assert eraser.proof(erasure).holds
    assert [one.encoding for one in own.negatives(ben.id)] == [photo(4).encoding]
    assert len(replica.view.negatives[ben.id]) == 1


def seen_as(own: Gallery, owner: str, photo: Photo, track: int = 1) -> str:
    """A sighting of somebody with that encoding and picture; its name."""
    name = f"lobby/1/{track}/{'unknown' if is_stranger(owner) else owner}"
    sighting = Sighting(
        person=None if is_stranger(owner) else owner,
        stranger=owner if is_stranger(owner) else None,
        name=name,
        first_at="",
        last_at="",
        snapshot=name,
        camera="lobby",
        stream_epoch=1,
        track=track,
        threshold=1.0,
        quality=Quality(height=90, sharpness=300, yaw=0, score=0.5),
        encoder=ENCODER,
    )
    client, keys = own.client, own.keys
    client.hset(keys.sightings, name, msgspec.json.encode(sighting))
    client.hset(keys.sighting_encodings, name, photo.encoding)
    client.zadd(keys.sighting_ends, {name: 9e12})
    client.zadd(keys.sightings_of(owner), {name: 1})
    client.set(keys.snapshot(name), msgspec.msgpack.encode(Snapshot(photo.chip, b"")))
    return name


def test_a_sighting_of_another_that_a_photo_was_made_of_goes_with_whom_it_shows(
    own: Gallery, photo: PhotoOf
) -> None:
    # Given Ben, enrolled by what was taken for a stranger, and for Ada, who was told so
    stranger = "unknown-7f3a"
    ada = own.enrol("Ada", [photo(1)], encoder=ENCODER)
    seen_as(own, stranger, photo(2))
    seen_as(own, ada.id, photo(3), track=2)
    seen_as(own, ada.id, photo(1), track=3)
    own.enrol("Ben", [photo(2), photo(3)], encoder=ENCODER)
    own.rule_out("Ada", [photo(3)], encoder=ENCODER)

    eraser = Eraser(own)
    erasure = eraser.erase(["Ben"])

    assert eraser.proof(erasure).found == []
    assert of(own.client, own.keys, stranger) == [] and own.negatives(ada.id) == []
    assert [kept.sighting.track for kept in of(own.client, own.keys, ada.id)] == [3]


def test_what_others_keep_is_no_trace_of_whom_it_was_taken_for(
    own: Gallery, photo: PhotoOf
) -> None:
    # Given Ben, who was taken for Ada, and is enrolled by that; and one of him that is not her
    ada = own.enrol("Ada", [photo(1)], encoder=ENCODER)
    seen_as(own, ada.id, photo(3))
    ben = own.enrol("Ben", [photo(3)], encoder=ENCODER)
    seen_as(own, ben.id, photo(4), track=2)
    own.rule_out("Ada", [photo(4)], encoder=ENCODER)

    eraser = Eraser(own)
    erasure = eraser.erase(["Ada"])

    assert eraser.proof(erasure).found == []
    assert len(own.photos(ben.id)) == len(of(own.client, own.keys, ben.id)) == 1


def test_a_chip_is_found_in_a_file_that_redis_packs(own: Gallery, photo: PhotoOf) -> None:
    # Given chips whose heads are alike, as real ones are
    chips = [encoded(number) for number in range(40)]
    for number, chip in enumerate(chips):
        one = msgspec.structs.replace(photo(number), chip=chip)
        own.enrol(f"Person {number}", [one], encoder=ENCODER)
    own.enrol("Ada", [msgspec.structs.replace(photo(99), chip=encoded(99))], encoder=ENCODER)
    own.client.bgrewriteaof()
    eraser = Eraser(own)
    eraser._wait(lambda: not is_writing(own.client))
    files = files_of(own.client) or []

    def on_disk(chip: bytes) -> bool:
        return any(found_in(file, Trace("chip", chip).pieces) for file in files)

    assert all(on_disk(chip) for chip in (*chips, encoded(99)))
    assert not on_disk(encoded(100))
    assert not any(chips[0] in file.read_bytes() for file in files)  # else this shows nothing

    assert eraser.proof(eraser.erase(["Ada"])).holds
    files = files_of(own.client) or []
    assert on_disk(chips[0]) and not on_disk(encoded(99))


def encoded(seed: int) -> bytes:
    """A JPEG of blurred noise, below which it is black."""
    noise = np.random.default_rng(seed).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    noise[80:] = 0
    return cv2.imencode(".jpg", cv2.GaussianBlur(noise, (0, 0), 2))[1].tobytes()


@pytest.mark.parametrize("left", [b"", b"\x01" * 100])
def test_somebody_whose_record_is_cut_can_be_removed(
    own: Gallery, photo: PhotoOf, left: bytes
) -> None:
    own.enrol("Ada", [photo(1)], encoder=ENCODER)
    rows = own.keys.gallery_rows(f"{ENCODER}:0")
    own.client.set(rows, left) if left else own.client.delete(rows)
    eraser = Eraser(own)
    assert eraser.proof(eraser.erase(["Ada"])).found == []
    assert own.people() == []


def test_a_vote_that_is_spoiled_keeps_nobody(own: Gallery, photo: PhotoOf) -> None:
    own.enrol("Ada", [photo(1)], encoder=ENCODER)
    own.client.set(own.keys.vote("lobby/1/1"), "no hash")
    own.client.zadd(own.keys.open_tracks, {"lobby/1/1": 1})
    Eraser(own).erase(["Ada"])
    assert not own.client.exists(own.keys.gallery_erasing)


def test_who_is_removed_by_another_meanwhile_is_passed_over(
    own: Gallery, photo: PhotoOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate(("Ada", "Ben")):
        own.enrol(name, [photo(number)], encoder=ENCODER)
    other = Gallery(own.client, own.keys)
    remove = own.remove_id

    def overtaken(person_id: str, **copies: Any) -> object:
        if any(person.id == ben.id for person in own.people()):
            other.remove_id(ben.id)
        return remove(person_id, **copies)

    ben = own.named("Ben")
    monkeypatch.setattr(own, "remove_id", overtaken)
    erasure = Eraser(own).erase(["Ada", "Ben"])
    assert {person.name for person in erasure.people} == {"Ada", "Ben"}
    assert own.people() == [] and not own.client.exists(own.keys.gallery_erasing)


def _event(person: str | None, runner_up: str | None) -> bytes:
    named = {"id": person, "name": "Ada", "external_id": None} if person else None
    nearly = {"id": runner_up, "similarity": 0.5} if runner_up else None
    return msgspec.json.encode(
        {
            "id": f"lobby/1/1/{person}/{runner_up}",
            "sequence": "",
            "type": "person_enter",
            "camera": "lobby",
            "person": named,
            "runner_up": nearly,
            "captured_at": "",
            "published_at": "",
        }
    )


def test_events_are_written_anew_and_readers_go_on_where_they_were(
    client: redis.Redis, keys: Keys
) -> None:
    # Given events of two people, a group that has read some of them, and one that has not
    one, other = "aa" * 6, "bb" * 6
    sequences = []
    for i in range(1200):
        mine = i % 3 == 0
        entry = _event(one if mine else other, other if mine else one)
        sequences.append(client.xadd(keys.events, {"event": entry}))
        if mine:
            client.zadd(keys.seen(one), {sequences[-1]: i})
    client.xgroup_create(keys.events, "archive", "0")
    client.xgroup_create(keys.events, "late", "0")
    client.xreadgroup("archive", "reader", {keys.events: ">"}, count=700)
    client.xack(keys.events, "archive", *sequences[:300])

    # If one of them is erased
    erased = erase(client, keys, [one])

    # I expect the other's events, in their places, without a word of the one
    assert erased.events == 400
    left = client.xrange(keys.events)
    assert [place for place, _ in left] == [s for i, s in enumerate(sequences) if i % 3]
    assert one.encode() not in client.dump(keys.events)
    assert len(list(replay(client, keys, "0"))) == 100

    # and the groups to go on, with what they have pending
    pending = client.xpending_range(keys.events, "archive", "-", "+", 1000)
    assert [p["message_id"] for p in pending] == [
        s for i, s in enumerate(sequences[:700]) if i % 3 and i >= 300
    ]
    ((_, rest),) = client.xreadgroup("archive", "reader", {keys.events: ">"})
    assert [place for place, _ in rest] == [
        s for i, s in enumerate(sequences) if i % 3 and i >= 700
    ]
    ((_, every),) = client.xreadgroup("late", "reader", {keys.events: ">"})
    assert len(every) == 800
    assert not client.exists(keys.events_aside)


def test_a_stream_of_nobody_else_stays_and_goes_on(client: redis.Redis, keys: Keys) -> None:
    one = "aa" * 6
    last = client.xadd(keys.events, {"event": _event(one, None)}, id="9999999999999-5")
    client.zadd(keys.seen(one), {last: 1})
    client.xgroup_create(keys.events, "archive", "0")
    erase(client, keys, [one])
    assert client.xlen(keys.events) == 0
    assert client.xadd(keys.events, {"event": b"{}"}) > last
    assert client.xinfo_groups(keys.events)[0]["name"] == b"archive"


def test_erasing_where_there_are_no_events_leaves_none(client: redis.Redis, keys: Keys) -> None:
    assert erase(client, keys, ["aa" * 6]).events == 0
    assert not client.exists(keys.events)


def test_an_open_vote_forgets_who_was_erased(client: redis.Redis, keys: Keys) -> None:
    one, other, track = "aa" * 6, "bb" * 6, "lobby/1/1"
    fields = {
        f"best:{one}": 1,
        f"named:{one}": "Ada",
        f"encoding:{one}": b"x",
        f"best:{other}": 2,
        f"runner_up:{other}": f'{{"id":"{one}","similarity":0.5}}',
        "person": one,
        "state": "known",
    }
    client.hset(keys.vote(track), mapping=fields)
    client.zadd(keys.open_tracks, {track: 1})
    client.set(keys.snapshot(f"{track}/{one}"), b"picture")

    erase(client, keys, [one])

    left = client.hgetall(keys.vote(track))
    assert set(left) == {
        f"best:{other}".encode(),
        f"runner_up:{other}".encode(),
        b"person",
        b"state",
        b"hushed",
    }
    assert left[b"person"] == b""
    assert left[f"runner_up:{other}".encode()] == b"null"
    assert not client.exists(keys.snapshot(f"{track}/{one}"))
    assert client.exists(keys.erased(one))
