"""After a removal nothing of a person is anywhere: the test looks."""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
import redis

from facetrail.embedded_redis import EmbeddedRedis
from facetrail.erasure import erase
from facetrail.errors import NoSuchPerson
from facetrail.events import replay
from facetrail.redis_files import files_of, found_in
from facetrail.store import Keys, connect
from index import rows as searched
from index.erasure import Eraser
from index.gallery import Gallery
from index.photo import Photo
from index.replica import Replica
from index.traces import traces_of

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
    data = [trace.data for trace in traces_of(own, ada) if trace.kind == "encoding"]
    assert len(data) == 3
    assert any(found_in(file, data) for file in files)

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
    for encoding in data:
        assert encoding not in on_disk
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
    eraser = Eraser(own, wait_s=0.1)
    proof = eraser.proof(eraser.erase(["Ada"]))
    assert (proof.holds, proof.unsure, proof.workers) == (False, ["slow"], [])


def test_all_are_erased_or_nobody(own: Gallery, photo: PhotoOf) -> None:
    own.enrol("Ada", [photo(1)], encoder=ENCODER)
    with pytest.raises(NoSuchPerson):
        Eraser(own).erase(["Ada", "Ben"])
    assert own.named("Ada")


def test_what_was_begun_and_not_ended_is_ended(gallery: Gallery, photo: PhotoOf) -> None:
    # Given a removal that was killed after its first half
    ada = gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    client, keys = gallery.client, gallery.keys
    sequence = client.xadd(keys.events, {"event": _event(ada.id, None)})
    client.zadd(keys.seen(ada.id), {sequence: 1})
    gallery.remove("Ada")

    assert Eraser(gallery).finish().events == 1
    assert client.xlen(keys.events) == 0
    assert not client.exists(keys.gallery_erasing)
    assert Eraser(gallery).finish().events == 0


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
    assert left[f"runner_up:{other}".encode()] == b"null"
    assert not client.exists(keys.snapshot(f"{track}/{one}"))
    assert client.exists(keys.erased(one))
