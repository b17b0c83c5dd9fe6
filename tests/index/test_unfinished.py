"""What a change of the gallery leaves to be done is ended, whoever was killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from facetrail.embedded_redis import EmbeddedRedis
from facetrail.errors import GalleryError
from facetrail.redis_files import files_of, found_in, is_writing
from facetrail.store import Keys, connect
from index import rewriting
from index.erasure import Eraser
from index.gallery import Gallery
from index.photo import Photo
from index.rewriting import Rewriting
from index.traces import Trace
from index.unfinished import NOTHING, Unfinished

ENCODER = "dlib_resnet@55533b28"
PhotoOf = Callable[[int], Photo]
WaitFor = Callable[..., None]


def seen(client: redis.Redis, keys: Keys, person: str) -> None:
    """One event of somebody."""
    event = {"id": f"lobby/1/1/{person}", "sequence": "", "person": {"id": person}}
    sequence = client.xadd(keys.events, {"event": msgspec.json.encode(event)})
    client.zadd(keys.seen(person), {sequence: 1})


def test_a_removal_that_was_killed_after_its_first_half_is_ended(
    gallery: Gallery, photo: PhotoOf
) -> None:
    ada = gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    client, keys = gallery.client, gallery.keys
    seen(client, keys, ada.id)
    gallery.remove("Ada")

    assert Unfinished(gallery).finish().events == 1
    assert client.xlen(keys.events) == 0
    assert not client.exists(keys.gallery_erasing, keys.gallery_finishing)
    assert Unfinished(gallery).finish() == NOTHING


def test_a_merge_that_was_killed_after_its_first_half_is_ended(
    gallery: Gallery, photo: PhotoOf
) -> None:
    one, other = (
        gallery.enrol(name, [photo(i)], encoder=ENCODER) for i, name in enumerate(("Ada", "Ben"))
    )
    client, keys = gallery.client, gallery.keys
    seen(client, keys, one.id)
    gallery.merge("Ada", "Ben")

    Unfinished(gallery).finish()

    assert client.zcard(keys.seen(other.id)) == 1
    assert not client.exists(keys.seen(one.id), keys.gallery_merging)
    # and the same again changes nothing, but is no fault: the answer may have been lost
    assert client.get(keys.merged(one.id)) is not None


def test_who_was_merged_is_erased_with_who_they_were_merged_into(
    gallery: Gallery, photo: PhotoOf
) -> None:
    # Given a merge whose past is with the first one still
    names = ("Ada", "Ben", "Cleo")
    ada, ben, _ = (gallery.enrol(n, [photo(i)], encoder=ENCODER) for i, n in enumerate(names))
    client, keys = gallery.client, gallery.keys
    seen(client, keys, ada.id)
    gallery.merge("Ada", "Ben")

    erasure = Eraser(gallery).erase(["Ben"])

    assert erasure.erased.events == 1
    assert Eraser(gallery).proof(erasure).found == []
    assert {person.name for person in gallery.people()} == {"Cleo"}
    left = [key for key in client.scan_iter("*") if ada.id.encode() in key]
    assert left == [keys.erased(ada.id).encode()]
    assert client.exists(keys.erased(ben.id))


def test_one_at_a_time_does_it(gallery: Gallery, photo: PhotoOf) -> None:
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    gallery.enrol("Ben", [photo(2)], encoder=ENCODER)
    gallery.remove("Ada")
    with Unfinished(gallery).alone():
        Unfinished(gallery).finish()
        assert gallery.client.exists(gallery.keys.gallery_erasing)
        with pytest.raises(GalleryError, match="another process .* try again later"):
            Eraser(gallery, wait_s=0.1).erase(["Ben"])
    # I expect nobody to be half erased
    assert gallery.named("Ben")
    Unfinished(gallery).finish()
    assert not gallery.client.exists(gallery.keys.gallery_erasing)


def test_files_are_written_anew_for_a_removal_that_was_killed_before(
    server: EmbeddedRedis, photo: PhotoOf, wait_for: WaitFor
) -> None:
    # Given somebody whose encoding is in Redis's file
    gallery = Gallery(connect(server.url), Keys())
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    gallery.enrol("Ben", [photo(2)], encoder=ENCODER)
    gallery.remove("Ada")
    wait_for(lambda: is_on_disk(gallery.client, photo(1).encoding))

    # If whoever comes next ends it, now and then
    def ended() -> bool:
        Unfinished(gallery).finish()
        return not gallery.client.exists(gallery.keys.gallery_unwritten)

    wait_for(ended)
    wait_for(lambda: not is_on_disk(gallery.client, photo(1).encoding))
    assert is_on_disk(gallery.client, photo(2).encoding)


def test_a_writing_that_began_before_is_not_taken_for_ours(
    server: EmbeddedRedis, photo: PhotoOf, wait_for: WaitFor
) -> None:
    gallery = Gallery(connect(server.url), Keys())
    client = gallery.client
    client.config_set("rdb-key-save-delay", 20_000)  # microseconds a key
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    for number in range(40):
        client.set(f"other:{number}", number)
    client.bgrewriteaof()
    gallery.remove("Ada")
    Unfinished(gallery).finish()
    assert client.exists(gallery.keys.gallery_unwritten)
    client.config_set("rdb-key-save-delay", 0)

    def ended() -> bool:
        Unfinished(gallery).finish()
        return not client.exists(gallery.keys.gallery_unwritten)

    wait_for(ended)
    wait_for(lambda: not is_on_disk(client, photo(1).encoding))


def test_a_writing_that_failed_is_asked_for_again(
    server: EmbeddedRedis,
    photo: PhotoOf,
    wait_for: WaitFor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a Redis whose child is killed while it writes, as when there is no memory
    gallery = Gallery(connect(server.url), Keys())
    client, key = gallery.client, gallery.keys.gallery_unwritten
    monkeypatch.setattr(rewriting, "PAUSE_S", 0.0)
    client.config_set("rdb-key-save-delay", 200_000)
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    for number in range(40):
        client.set(f"other:{number}", number)
    gallery.remove("Ada")
    files = Rewriting(client, gallery.keys)
    files.step()
    wait_for(lambda: client.info("persistence")["aof_rewrite_in_progress"])
    os.kill(child_of(client.info("server")["process_id"]), signal.SIGKILL)
    wait_for(lambda: not is_writing(client))
    assert client.info("persistence")["aof_last_bgrewrite_status"] == "err"
    assert client.exists(key)
    wait_for(lambda: is_on_disk(client, photo(1).encoding))

    client.config_set("rdb-key-save-delay", 0)
    wait_for(files.is_done)
    assert not client.exists(key) and not is_on_disk(client, photo(1).encoding)


def test_a_writing_of_a_redis_that_died_is_asked_for_again(
    server: EmbeddedRedis, photo: PhotoOf, wait_for: WaitFor
) -> None:
    gallery = Gallery(connect(server.url), Keys())
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    gallery.remove("Ada")
    key = gallery.keys.gallery_unwritten
    (mark,) = (one for one in gallery.client.smembers(key) if one.startswith(b"aof:"))
    gallery.client.delete(key)
    gallery.client.sadd(key, b"begun:another:" + mark)
    files = Rewriting(gallery.client, gallery.keys)
    wait_for(lambda: is_on_disk(gallery.client, photo(1).encoding))
    wait_for(files.is_done)
    assert not is_on_disk(gallery.client, photo(1).encoding)


@pytest.mark.parametrize("command", ["bgrewriteaof", "config", "info"])
def test_a_redis_that_does_not_let_us_is_left_alone(
    server: EmbeddedRedis, photo: PhotoOf, command: str
) -> None:
    gallery = Gallery(connect(server.url), Keys())
    gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    gallery.client.execute_command("ACL", "SETUSER", "default", f"-{command}")
    began = time.monotonic()
    Eraser(gallery).erase(["Ada"])
    assert time.monotonic() - began < 30
    assert not gallery.client.exists(gallery.keys.gallery_unwritten)


def child_of(process: int) -> int:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return int(children[0])


def test_a_merge_that_cant_be_ended_keeps_no_other(gallery: Gallery, photo: PhotoOf) -> None:
    names = ("Ada", "Ben", "Cleo", "Dora")
    ada, ben, cleo, dora = (
        gallery.enrol(name, [photo(i)], encoder=ENCODER) for i, name in enumerate(names)
    )
    client, keys = gallery.client, gallery.keys
    client.set(keys.seen(ada.id), "no sorted set")
    gallery.merge("Ada", "Ben")
    seen(client, keys, cleo.id)
    gallery.merge("Cleo", "Dora")
    Unfinished(gallery).finish()
    assert client.zcard(keys.seen(dora.id)) == 1
    assert client.smembers(keys.gallery_merging) == {f"{ada.id} {ben.id}".encode()}


def test_who_was_named_and_erased_before_their_past_followed_leaves_nothing(
    gallery: Gallery, photo: PhotoOf
) -> None:
    # Given a stranger whose naming was killed half-way, and who was removed at once
    client, keys, stranger = gallery.client, gallery.keys, "unknown-7f3a"
    seen(client, keys, stranger)
    ada = gallery.enrol("Ada", [photo(1)], encoder=ENCODER, stranger=stranger)
    merging = client.smembers(keys.gallery_merging)
    assert merging == {f"{stranger} {ada.id}".encode()}
    client.delete(keys.gallery_merging)
    Eraser(gallery).erase(["Ada"])
    client.sadd(keys.gallery_merging, *merging)  # somebody who is late tells of it still

    Unfinished(gallery).finish()

    assert client.xlen(keys.events) == 0
    assert not client.exists(keys.seen(stranger), keys.seen(ada.id), keys.gallery_merging)


def test_who_is_back_and_removed_again_stays_hushed(gallery: Gallery, photo: PhotoOf) -> None:
    ada = gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    gallery.client.sadd(gallery.keys.gallery_returned, ada.id)  # of an import that was killed
    Eraser(gallery).erase(["Ada"])
    assert gallery.client.exists(gallery.keys.erased(ada.id))


def is_on_disk(client: redis.Redis, data: bytes) -> bool:
    files = files_of(client)
    assert files
    return any(found_in(file, Trace("encoding", data).pieces) for file in files)


def lose_an_answer(monkeypatch: pytest.MonkeyPatch, client: redis.Redis) -> None:
    """The next script's answer is lost on its way, and redis-py asks again."""
    connection = client.connection_pool.connection_class
    read = connection.read_response
    lost: list[object] = []
    sent: list[bool] = []
    pack = connection.send_command

    def send(self: Any, *args: Any, **kwargs: Any) -> None:
        sent.append(args[0] == "EVALSHA")
        pack(self, *args, **kwargs)

    def lose(self: Any, *args: Any, **kwargs: Any) -> Any:
        answer = read(self, *args, **kwargs)
        if sent and sent[-1] and not lost:
            lost.append(answer)
            self.disconnect()
            raise redis.ConnectionError("lost")
        return answer

    monkeypatch.setattr(connection, "send_command", send)
    monkeypatch.setattr(connection, "read_response", lose)


@pytest.mark.parametrize("change", ["enrol", "add", "rename", "merge", "split", "remove"])
def test_an_answer_that_is_lost_fails_nothing(
    gallery: Gallery, photo: PhotoOf, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    gallery.enrol("Ada", [photo(1), photo(2)], encoder=ENCODER)
    gallery.enrol("Ben", [photo(3)], encoder=ENCODER)
    changes: dict[str, Callable[[], object]] = {
        "enrol": lambda: gallery.enrol("Cleo", [photo(4)], encoder=ENCODER),
        "add": lambda: gallery.enrol("Ada", [photo(4)], encoder=ENCODER),
        "rename": lambda: gallery.describe("Ada", name="Annabella"),
        "merge": lambda: gallery.merge("Ada", "Ben"),
        "split": lambda: gallery.split("Ada", [photo(1).digest], "Annabella"),
        "remove": lambda: gallery.remove("Ada"),
    }
    gallery.client.script_flush()
    expected = {
        "enrol": {"Ada": 2, "Ben": 1, "Cleo": 1},
        "add": {"Ada": 3, "Ben": 1},
        "rename": {"Annabella": 2, "Ben": 1},
        "merge": {"Ben": 3},
        "split": {"Ada": 1, "Annabella": 1, "Ben": 1},
        "remove": {"Ben": 1},
    }[change]
    for script in vars(gallery).values():  # so that no script has to be sent first
        if hasattr(script, "sha"):
            gallery.client.script_load(script.script)
    lose_an_answer(monkeypatch, gallery.client)

    changes[change]()

    monkeypatch.undo()
    people = gallery.people()
    counts = gallery.count_photos([person.id for person in people])
    assert {p.name: n for p, n in zip(people, counts, strict=True)} == expected
    assert {name: gallery.named(name).name for name in expected} == {n: n for n in expected}


def test_whoever_is_renamed_while_they_are_removed_leaves_no_name(
    gallery: Gallery, photo: PhotoOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a removal that has read Ada's name, and is overtaken by a renaming
    gallery.enrol("Ada", [photo(1), photo(2)], encoder=ENCODER)
    late = Gallery(gallery.client, gallery.keys)
    remove = late._remove

    def overtaken(**kwargs: Any) -> bytes:
        monkeypatch.setattr(late, "_remove", remove)
        gallery.describe("Ada", name="Annabella")
        answer: bytes = remove(**kwargs)
        return answer

    monkeypatch.setattr(late, "_remove", overtaken)
    late.remove("Ada")

    assert gallery.people() == []
    assert not gallery.client.exists(gallery.keys.gallery_names)


def test_a_name_that_points_at_nobody_can_be_given(gallery: Gallery, photo: PhotoOf) -> None:
    gallery.client.hset(gallery.keys.gallery_names, "ada", "ff" * 6)
    ada = gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    assert ada.id != "ff" * 6 and gallery.people() == [ada]


def test_an_erasure_waits_for_redis_as_long_as_it_takes(
    gallery: Gallery, photo: PhotoOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given so many events that the script takes longer than any answer may
    ada = gallery.enrol("Ada", [photo(1)], encoder=ENCODER)
    client, keys = gallery.client, gallery.keys
    with client.pipeline(transaction=False) as pipe:
        for _ in range(60_000):
            pipe.xadd(keys.events, {"event": b"x" * 300})
        pipe.execute()
    seen(client, keys, ada.id)
    impatient = connect(f"unix://{client.get_connection_kwargs()['path']}")
    impatient.connection_pool.connection_kwargs["socket_timeout"] = 0.05
    began = time.monotonic()
    erased = Eraser(Gallery(impatient, keys)).erase(["Ada"]).erased
    assert erased.events == 1
    assert time.monotonic() - began > 0.05  # else this shows nothing
