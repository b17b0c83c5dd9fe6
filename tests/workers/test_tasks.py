"""One message after another: what is good is recognised, the rest is set aside or waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import faiss
import msgspec
import numpy as np
import pytest
from celery import Celery
from celery.exceptions import Reject

from facetrail.broker import celery_app
from facetrail.embedded_redis import EmbeddedRedis
from facetrail.errors import EncoderMismatch
from facetrail.events import MatchEvent, parse
from facetrail.queue_state import counters
from facetrail.store import Keys, connect
from facetrail.wire import TASK, Chips, Encodings, FaceChip, Message, TrackEnded
from index.calibration import Calibration
from index.gallery import Gallery
from index.photo import Photo
from index.re_encode import ReEncoding
from index.replica import Replica
from tests.workers.conftest import CONFIRM, EPOCH, UNKNOWN, Votes, chip, ended, jpeg
from workers import teller
from workers.__main__ import sweep
from workers.batcher import Batcher
from workers.measures import Measures
from workers.recognise import Judgement, recognise
from workers.strangers import Strangers
from workers.tasks import Service, register
from workers.teller import Teller

ADA = np.eye(128, dtype=np.float32)[0]
WaitFor = Callable[..., None]


class AlwaysAda:
    """An encoder to which every face is Ada's, unless it fails."""

    id, threshold, margin = "always_ada@00000000", 0.4, 0.05
    fails = False
    face = ADA

    def encode(self, chips: Chips) -> Encodings:
        if self.fails:
            raise RuntimeError("out of memory on the GPU")
        return np.repeat(self.face[None], len(chips), axis=0)


class House:
    """A worker's service on a Redis of its own, which may be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self.redis = EmbeddedRedis(folder)
        self.client, self.keys = connect(self.redis.start()), Keys()
        self.encoder, self.stop = AlwaysAda(), threading.Event()
        photo = Photo(digest="d", source="s", encoding=ADA.tobytes(), chip=jpeg())
        Gallery(self.client, self.keys).enrol("Ada", [photo], encoder=self.encoder.id)
        replica = Replica(self.client, self.keys, worker="one", encoder=self.encoder.id)
        replica.load()
        options = {"confirm": CONFIRM, "unknown": UNKNOWN, "history": 1000}
        limits = {"snapshot_ttl_s": 100, "unknown_ttl_s": 100, "redelivery_s": 5}
        strangers = Strangers(self.client, self.keys, encoder=self.encoder.id)
        votes = Votes(self.client, self.keys, strangers=strangers, **options, **limits)
        batcher = Batcher(self.encoder.encode, size=8, wait_s=0.001)
        self.service = Service(
            client=self.client,
            keys=self.keys,
            encoder=self.encoder,
            replica=replica,
            batcher=batcher,
            votes=votes,
            teller=Teller(replica, votes, self.encoder, self.stop, name="one"),
            measures=Measures(self.client, self.keys, batcher),
            chip_ttl_s=30,
            stop=self.stop,
        )
        self.app: Celery = celery_app("redis://", key_prefix="facetrail:")
        register(self.app, self.service)

    def take(self, *items: FaceChip | TrackEnded) -> None:
        """Runs the task in this thread."""
        self.app.tasks[TASK](bytes(Message(items=items)))

    def events(self) -> list[MatchEvent]:
        return [parse(fields[b"event"], "") for _, fields in self.client.xrange(self.keys.events)]

    def counters(self) -> dict[str, int]:
        return counters(self.client, self.keys)

    def rejected(self) -> list[dict[bytes, bytes]]:
        return [fields for _, fields in self.client.xrange(self.keys.rejected)]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "redis")
    yield made
    made.stop.set()
    made.service.close()
    made.client.close()
    made.redis.stop()


def fresh(number: int, **changes: object) -> FaceChip:
    """A chip of this moment."""
    return chip(number, **{"captured_at": time.time_ns(), "jpeg": jpeg()} | changes)


def kinds(house: House) -> list[str]:
    return [event.type for event in house.events()]


def test_the_good_chips_of_a_message_are_recognised_beside_the_bad(house: House) -> None:
    # Given a message in which two of five chips are of no use
    bad = {2: jpeg(1, 1), 4: jpeg()[:400]}
    made = [fresh(i, jpeg=bad.get(i, jpeg())) for i in range(1, 6)]

    house.take(*made, ended(5))

    # I expect the others to be counted, and the track not to wait for these
    assert kinds(house) == ["person_enter", "person_exit"]
    assert [
        (entry[b"reason"], Message.parse(entry[b"message"]).chips) for entry in house.rejected()
    ] == [
        (b"chip chip-2: expected 112x112 pixels, got 1x1", [made[1]]),
        (b"chip chip-4 is not a JPEG, or cut short", [made[3]]),
    ]
    assert house.counters() == {"recognised": 3, "unusable": 2, "rejected": 2}


def test_a_search_keeps_to_one_core(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    cores: list[int] = []

    def watched(*given: Any, **named: Any) -> list[Judgement]:
        cores.append(faiss.omp_get_max_threads())
        return recognise(*given, **named)

    monkeypatch.setattr(teller, "recognise", watched)
    house.take(fresh(1))
    assert cores == [1]


def test_old_chips_are_skipped_and_counted(house: House) -> None:
    old = time.time_ns() - 31 * 10**9
    made = [fresh(i, captured_at=old if i > CONFIRM else time.time_ns()) for i in range(1, 6)]
    house.take(*made, ended(5))
    assert kinds(house) == ["person_enter", "person_exit"]
    assert house.counters() == {"recognised": CONFIRM, "expired": 2}
    assert house.rejected() == []


def test_a_threshold_that_changes_holds_at_once_and_is_told_with_each_event(
    house: House, wait_for: WaitFor
) -> None:
    # Given a worker that follows the gallery, and a face at 0.3 of Ada
    angle = 2 * np.arcsin(0.15)
    house.encoder.face = np.cos(angle) * ADA + np.sin(angle) * np.roll(ADA, 1)
    house.encoder.face = house.encoder.face.astype(np.float32)
    gallery = Gallery(house.client, house.keys)
    thread = threading.Thread(target=house.service.replica.follow, args=(house.stop,))
    thread.start()

    def passes(track: int) -> tuple[list[str], set[float | None], set[str | None]]:
        house.take(*(fresh(i, track=track) for i in range(1, 6)), ended(5, track=track))
        said = [event for event in house.events() if event.track == track]
        told = {event.threshold for event in said}, {event.index_position for event in said}
        return [event.type for event in said], *told

    def reached() -> bool:
        return house.service.replica.view.position == gallery.position()

    wait_for(reached, timeout_s=1)
    at_first = gallery.position()
    assert passes(1) == (["person_enter", "person_exit"], {0.4}, {at_first})

    # If a lower threshold is set, I expect her to be unknown from then on
    lower = Calibration(threshold=0.2, margin=0.0, fpir=0.01, calibrated_at="")
    gallery.calibrate(house.encoder.id, lower)
    wait_for(reached, timeout_s=1)
    lowered = gallery.position()
    assert lowered != at_first
    assert passes(2) == (["unknown_enter", "unknown_exit"], {0.2}, {lowered})

    # and known again after it is reset
    gallery.reset_calibration(house.encoder.id)
    wait_for(reached, timeout_s=1)
    assert passes(3)[:2] == (["person_enter", "person_exit"], {0.4})
    house.stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_a_message_of_ends_alone_or_of_nothing_is_taken(house: House) -> None:
    house.take()
    house.take(*(fresh(i) for i in range(1, 4)))
    house.take(ended(3), ended(0, track=2))
    assert kinds(house) == ["person_enter", "person_exit"]


def test_chips_that_get_too_old_while_they_wait_for_the_encoder_are_skipped(
    house: House,
) -> None:
    # Given a message of a chip that is nearly too old, and four that are not
    now = time.time_ns()
    made = [fresh(1, captured_at=now - 29_700 * 10**6), *(fresh(i) for i in range(2, 6))]

    # If the encoder is busy for half a second before its turn
    house.service.batcher._usual_s = 0.5
    house.take(*made, ended(5))

    # I expect that one to be skipped, the others to be counted, and the track not to wait
    assert kinds(house) == ["person_enter", "person_exit"]
    assert house.counters() == {"recognised": 4, "expired": 1}


def test_what_is_tried_again_is_not_too_old(house: House) -> None:
    made = [fresh(i, captured_at=time.time_ns() - 3600 * 10**9) for i in range(1, 6)]
    house.app.tasks[TASK](bytes(Message(items=(*made, ended(5)), retried=True)))
    assert kinds(house) == ["person_enter", "person_exit"]
    assert house.counters() == {"recognised": 5}


def spoiled(chip: FaceChip, **fields: object) -> msgspec.Raw:
    """A chip with fields that no chip has."""
    plain = msgspec.to_builtins(chip, builtin_types=(bytes,))
    return msgspec.Raw(msgspec.msgpack.encode(plain | fields))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"camera": "x" * 1_000_000}, b"length <= 200"),
        ({"jpeg": 5}, b"expected a message of chips"),
        ({"captured_at": 2**64 - 1}, b"expected a time that has been"),
        ({"captured_at": 4_102_444_800 * 10**9}, b"expected a time that has been"),
        ({"jpeg": jpeg(1, 1)}, b"got 1x1"),
        ({"jpeg": jpeg()[:300]}, b"not a JPEG, or cut short"),
        ({"jpeg": jpeg(kind=".png")}, b"not a JPEG"),
        ({"jpeg": b""}, b"not a JPEG"),
    ],
)
def test_one_bad_chip_is_set_aside_and_those_beside_it_are_recognised(
    changes: dict[str, object], reason: bytes, house: House
) -> None:
    good = [fresh(i) for i in range(1, CONFIRM + 1)]
    items = [*good, spoiled(fresh(CONFIRM + 1), **changes), ended(CONFIRM)]
    house.app.tasks[TASK](msgspec.msgpack.encode({"schema": 1, "items": items}))
    assert "person_enter" in kinds(house)
    (entry,) = house.rejected()
    assert reason in entry[b"reason"]
    assert house.counters()["recognised"] == CONFIRM

    # and what is kept to be the chip, as a message of its own, or the start of it
    if int(entry[b"size"]) > len(entry[b"message"]):
        assert len(entry[b"message"]) == 100_000
        return
    kept = msgspec.msgpack.decode(entry[b"message"])
    assert [item["number"] for item in kept["items"]] == [CONFIRM + 1]


def test_a_picture_that_would_be_vast_is_not_decoded(house: House) -> None:
    # Given the head of a JPEG of 20 000 by 20 000 pixels
    head = bytearray(jpeg())
    at = head.index(b"\xff\xc0") + 5
    head[at : at + 4] = (20_000).to_bytes(2, "big") * 2
    house.take(fresh(1, jpeg=bytes(head)))
    (entry,) = house.rejected()
    assert entry[b"reason"].endswith(b"expected 112x112 pixels, got 20000x20000")


def test_more_chips_than_any_sender_sends_are_set_aside_unread(house: House) -> None:
    house.take(*(fresh(i, jpeg=b"", context=b"") for i in range(1, 10_001)))
    (entry,) = house.rejected()
    assert entry[b"reason"] == b"expected at most 1000 chips, got 10000"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xc1 no msgpack", b"expected a message of chips"),
        (msgspec.msgpack.encode({"schema": 1, "items": [{"type": "chip"}]}), b"missing required"),
        (msgspec.msgpack.encode({"schema": 99, "items": []}), b"schema 1 or earlier, got 99"),
        ("text", b"expected bytes, got str"),
        (None, b"expected bytes, got NoneType"),
        ([1, 2], b"expected bytes, got list"),
        (bytes(9_000_000), b"expected at most 8000000 bytes"),
    ],
)
def test_what_cant_be_read_is_set_aside_with_the_reason(
    data: object, reason: bytes, house: House
) -> None:
    house.app.tasks[TASK](data)
    (entry,) = house.rejected()
    assert reason in entry[b"reason"]
    start = data if isinstance(data, bytes) else repr(data).encode()
    assert entry[b"message"] == (start if len(start) <= 1_000_000 else start[:100_000])


def test_few_of_the_rejected_are_kept(house: House) -> None:
    for _ in range(1300):
        house.app.tasks[TASK](b"")
    assert house.client.xlen(house.keys.rejected) <= 1100
    assert house.client.hget(house.keys.counters, "rejected") == b"1300"


def test_a_message_that_fails_is_kept_and_the_next_is_served(house: House) -> None:
    # Given an encoder that fails once
    house.encoder.fails = True
    house.take(fresh(1), fresh(2))
    house.encoder.fails = False
    house.take(*(fresh(i) for i in range(3, 6)))

    # I expect the message to be set aside whole, and the others to be recognised
    (entry,) = house.rejected()
    assert entry[b"reason"] == b"RuntimeError: out of memory on the GPU"
    assert Message.parse(entry[b"message"]).chips[1].number == 2
    assert kinds(house) == ["person_enter"]


def test_what_was_recognised_waits_for_a_redis_that_is_away(
    house: House, wait_for: WaitFor
) -> None:
    house.take(fresh(1), fresh(2))
    house.redis.stop()
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(house.take, fresh(3), ended(3))
        with pytest.raises(TimeoutError):
            taken.result(1.5)
        house.redis.start()
        taken.result(10)
    assert kinds(house) == ["person_enter", "person_exit"]


def test_a_full_redis_is_told_what_was_recognised(house: House) -> None:
    # Else it stays full: what is recognised leaves it
    house.client.config_set("maxmemory", 1)
    try:
        house.take(fresh(1), fresh(2), fresh(3), ended(3))
        assert kinds(house) == ["person_enter", "person_exit"]
    finally:
        house.client.config_set("maxmemory", 0)


def test_what_can_not_be_used_waits_for_a_redis_that_is_full(house: House) -> None:
    house.client.config_set("maxmemory", 1)
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(house.take, fresh(1, jpeg=b"bad"), ended(1))
        with pytest.raises(TimeoutError):
            taken.result(1.5)
        house.client.config_set("maxmemory", 0)
        taken.result(10)
    assert len(house.rejected()) == 1


def test_a_worker_that_stops_meanwhile_gives_the_message_back(house: House) -> None:
    house.redis.stop()
    house.stop.set()
    with pytest.raises(Reject) as caught:
        house.take(fresh(1))
    assert caught.value.requeue


def ada_of(house: House) -> str:
    return Gallery(house.client, house.keys).named("Ada").id


class Other(AlwaysAda):
    id = "other@00000000"


def test_nobody_is_called_unknown_while_the_gallery_is_another_encoder_s(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a worker whose gallery moves to another encoder
    monkeypatch.setattr("workers.tasks.PAUSE_S", 0.01)
    house.take(*(fresh(i) for i in range(1, 4)))
    gallery, replica = Gallery(house.client, house.keys), house.service.replica
    ReEncoding(gallery, Other()).run()
    with pytest.raises(EncoderMismatch):
        replica.step(block_ms=1)

    # I expect its messages to go back for others, even where all are old, and no vote to be closed
    made = [fresh(i, track=2) for i in range(1, UNKNOWN + 1)]
    old = fresh(1, track=3, captured_at=1)
    for items in ((*made, ended(UNKNOWN, track=2)), (old,)):
        with pytest.raises(Reject) as caught:
            house.take(*items)
        assert caught.value.requeue
    house.client.zadd(house.keys.closing_tracks, {f"lobby/{EPOCH}/1": 1})
    house.service.close_votes()
    assert kinds(house) == ["person_enter"]
    assert "expired" not in house.counters() and house.rejected() == []

    # and Ada to be known once the gallery is its own again
    ReEncoding(gallery, house.encoder).run()
    replica.step(block_ms=1)
    house.take(*made, ended(UNKNOWN, track=2))
    house.service.close_votes()
    assert sorted(kinds(house)) == ["person_enter"] * 2 + ["person_exit"] * 2


def test_the_sweep_outlives_a_redis_that_refuses(
    house: House, wait_for: WaitFor, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a sweep that stumbles over a key of another type
    house.client.set(house.keys.closing_tracks, "no set")
    thread = threading.Thread(target=sweep, args=(house.service, house.stop))
    thread.start()
    house.take(*(fresh(i) for i in range(1, 4)))
    wait_for(lambda: "nothing swept" in capsys.readouterr().out)

    # I expect the rest to be swept all the same
    assert house.client.zcard(house.keys.sighting_ends) == 1
    house.client.zadd(house.keys.sighting_ends, {f"lobby/{EPOCH}/1/{ada_of(house)}": 1})
    wait_for(lambda: not house.client.exists(house.keys.sighting_ends))

    # and if it is mended, what is due to be closed
    house.client.delete(house.keys.closing_tracks)
    house.client.zadd(house.keys.closing_tracks, {f"lobby/{EPOCH}/1": 1})
    wait_for(lambda: kinds(house) == ["person_enter", "person_exit"])

    # and what was begun with the gallery to be ended where no sighting can be dropped
    house.client.set(house.keys.sighting_ends, "no set")
    wait_for(lambda: "what=sightings" in capsys.readouterr().out)
    house.client.sadd(house.keys.gallery_erasing, "b0b0b0b0b0b0")
    wait_for(lambda: not house.client.exists(house.keys.gallery_erasing))
    house.stop.set()
    thread.join(5)
    assert not thread.is_alive()
