"""A real worker process: chips on the queue become names, and nothing that comes kills it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count

import msgspec
import pytest

from facetrail import snapshots
from facetrail.events import MatchEvent
from facetrail.queue_state import in_hand
from index.gallery import Gallery
from tests.workers.conftest import Site, ended, jpeg, name_of, seen, workers_of

WaitFor = Callable[..., None]
_tracks = count(1)


@pytest.fixture(scope="module")
def worker(
    tmp_path_factory: pytest.TempPathFactory,
    cache_dir: object,
    enrol: Callable[[Gallery], None],
    wait_for: WaitFor,
) -> Iterator[Site]:
    """One worker for the whole module; each test has a track of its own."""
    site = Site(tmp_path_factory.mktemp("site"), cache_dir, enrol)  # type: ignore[arg-type]
    running = site.start_worker()
    wait_for(lambda: site.is_ready(running), timeout_s=60)
    yield site
    assert running.poll() is None, site.log.read_text()
    site.close()


def show(site: Site, face: bytes, wait_for: WaitFor, *, chips: int = 3) -> list[MatchEvent]:
    """Sends a track of one face, and waits for what is said of it; at least its exit."""
    track = next(_tracks)
    for number in range(1, chips + 1):
        site.send(seen(face, number, track=track))
    site.send(ended(chips, track=track))

    def events() -> list[MatchEvent]:
        return [event for event in site.events("lobby") if event.track == track]

    wait_for(lambda: [event for event in events() if event.type.endswith("_exit")])
    return events()


def words(events: list[MatchEvent]) -> list[tuple[str, str | None]]:
    return [(event.type, event.person.name if event.person else None) for event in events]


@pytest.mark.parametrize("name", ["Eileen", "Grace"])
def test_chips_of_someone_enrolled_become_their_name(
    name: str, worker: Site, faces: dict[str, bytes], wait_for: WaitFor
) -> None:
    enter, leave = show(worker, faces[name], wait_for)
    assert words([enter, leave]) == [("person_enter", name), ("person_exit", name)]
    assert workers_of([enter]) == {name_of(worker.workers[0])}
    assert enter.encoder == "dlib_resnet@55533b28"
    assert enter.distance is not None and enter.threshold is not None
    assert enter.distance < enter.threshold
    assert enter.runner_up is not None
    assert enter.index_position == worker.gallery.position()
    assert enter.snapshot is not None
    snapshot = snapshots.get(enter.snapshot, worker.url)
    assert snapshot is not None and snapshot.chip == faces[name]


def test_a_face_of_nobody_enrolled_is_unknown(worker: Site, wait_for: WaitFor) -> None:
    events = show(worker, jpeg(), wait_for, chips=5)
    assert words(events) == [("unknown_enter", None), ("unknown_exit", None)]
    again = show(worker, jpeg(), wait_for, chips=5)
    assert len({event.unknown for event in (*events, *again)}) == 1
    assert str(events[0].unknown).startswith("unknown-")


GARBAGE = {
    "not_msgpack": b"\xc1",
    "another_shape": msgspec.msgpack.encode({"a": [1, 2]}),
    "a_list": msgspec.msgpack.encode([]),
    "nothing": b"",
    "a_newer_schema": msgspec.msgpack.encode({"schema": 99, "items": []}),
    "text": "not bytes",
    "null": None,
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_set_aside_and_the_worker_goes_on(
    body: object, worker: Site, faces: dict[str, bytes], wait_for: WaitFor
) -> None:
    before = worker.client.xlen(worker.keys.rejected)
    worker.send_body(body)
    wait_for(lambda: worker.client.xlen(worker.keys.rejected) == before + 1)
    ((_, entry),) = worker.client.xrevrange(worker.keys.rejected, count=1)
    assert entry[b"reason"].startswith(b"expected ")
    assert len(show(worker, faces["Grace"], wait_for)) == 2


def test_messages_that_celery_itself_refuses_do_no_harm(
    worker: Site, faces: dict[str, bytes], wait_for: WaitFor
) -> None:
    # Given messages of another serializer, another task, and other arguments
    worker.send_body("x", serializer="json")
    worker.send_body("x", serializer="pickle")
    worker.send_body()
    worker.send_body(b"", b"")
    worker.app.send_task("another.task", args=[b""])

    # and one whose body is no msgpack at all
    queue = worker.keys.queue.removeprefix(worker.keys.prefix)
    envelope = {"body": "wcHB", "content-type": "application/x-msgpack", "headers": {}}
    properties = {
        "body_encoding": "base64",
        "delivery_tag": "one",
        "delivery_info": {"exchange": "", "routing_key": queue},
    }
    raw = json.dumps(envelope | {"content-encoding": "binary", "properties": properties})
    worker.client.lpush(worker.keys.queue, raw)

    # and entries that are no messages of anybody's
    before = worker.client.xlen(worker.keys.rejected)
    for entry in (b"", b"garbage", b"[]", b"\xff" * 1000, b"{}"):
        worker.client.lpush(worker.keys.queue, entry)

    # I expect the next to be served, and none of these to come again and again
    assert len(show(worker, faces["Grace"], wait_for)) == 2
    wait_for(lambda: worker.client.xlen(worker.keys.rejected) >= before + 5)
    wait_for(lambda: not in_hand(worker.client, worker.keys))


def test_good_chips_beside_bad_ones_are_recognised(
    worker: Site, faces: dict[str, bytes], wait_for: WaitFor
) -> None:
    # Given one message with a pixel, a picture cut short, and three good chips
    track = next(_tracks)
    pictures = [jpeg(1, 1), faces["Grace"], faces["Grace"][:900], faces["Grace"], faces["Grace"]]
    made = [seen(picture, i + 1, track=track) for i, picture in enumerate(pictures)]
    before = worker.client.xlen(worker.keys.rejected)

    worker.send(*made, ended(len(made), track=track))

    wait_for(lambda: len([e for e in worker.events("lobby") if e.track == track]) == 2)
    assert worker.client.xlen(worker.keys.rejected) == before + 2


def test_who_is_removed_or_enrolled_while_it_runs_is_so_within_a_second(
    worker: Site, faces: dict[str, bytes], enrol: Callable[[Gallery], None], wait_for: WaitFor
) -> None:
    def applied() -> None:
        position = worker.gallery.position()
        wait_for(lambda: worker.applied(worker.workers[0]) == position, timeout_s=1)

    worker.gallery.remove("Grace")
    applied()
    assert words(show(worker, faces["Grace"], wait_for, chips=5))[0] == ("unknown_enter", None)

    enrol(worker.gallery)
    applied()
    events = show(worker, faces["Grace"], wait_for)
    assert words(events)[0] == ("person_enter", "Grace")
    assert events[0].index_position == worker.gallery.position()
