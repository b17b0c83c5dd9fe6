"""Whatever is done in whatever order, every replica knows what a dictionary knows."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from facetrail.embedded_redis import EmbeddedRedis
from facetrail.store import Keys, connect
from index.gallery import Gallery
from index.photo import Photo
from index.replica import Replica

ENCODER = "dlib_resnet@55533b28"
NAMES = st.sampled_from(["Ada", "Ben", "Cleo", "Dan", "Eve"])


def photo_of(number: int) -> Photo:
    row = np.random.default_rng(number).normal(size=128)
    return Photo(
        digest=hashlib.sha256(str(number).encode()).hexdigest(),
        source=f"{number}.jpg",
        encoding=(row / np.linalg.norm(row)).astype("<f4").tobytes(),
        chip=b"\xff\xd8 chip %d" % number,
    )


class GalleryModel(RuleBasedStateMachine):
    """model: of each name the digests of their photos; ids: of each name the person's id."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.client = connect(self.url)
        self.client.flushdb()
        self.gallery = Gallery(self.client, Keys())
        self.replicas = [
            Replica(self.client, Keys(), worker=f"worker {i}", encoder=ENCODER) for i in range(2)
        ]
        for replica in self.replicas:
            replica.load()
        self.model: dict[str, set[str]] = {}
        self.ids: dict[str, str] = {}
        self.not_them: dict[str, set[str]] = {}
        self.encodings: dict[str, bytes] = {}
        self.next = 0

    def teardown(self) -> None:
        self.client.close()

    def photos(self, count: int) -> list[Photo]:
        made = [photo_of(self.next + i) for i in range(count)]
        self.next += count
        self.encodings |= {photo.digest: photo.encoding for photo in made}
        return made

    @rule(name=NAMES, count=st.integers(1, 6))
    def enrol(self, name: str, count: int) -> None:
        photos = self.photos(count)
        person = self.gallery.enrol(name, photos, encoder=ENCODER)
        assert self.ids.setdefault(name, person.id) == person.id
        self.model.setdefault(name, set()).update(photo.digest for photo in photos)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        self.gallery.remove(name)
        for of in (self.model, self.ids, self.not_them):
            of.pop(name, None)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def rule_out(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        (photo,) = self.photos(1)
        self.gallery.rule_out(name, [photo], encoder=ENCODER)
        # kept under a digest of its own, but known here by the photo's
        self.not_them.setdefault(name, set()).add(photo.digest)

    @precondition(lambda self: 0 < len(self.model) < 5)
    @rule(data=st.data())
    def rename(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        free = sorted({"Ada", "Ben", "Cleo", "Dan", "Eve"} - set(self.model))
        new = data.draw(st.sampled_from(free))
        self.gallery.describe(name, name=new)
        for of in (self.model, self.ids, self.not_them):
            if name in of:
                of[new] = of.pop(name)  # type: ignore[index]

    @precondition(lambda self: len(self.model) > 1)
    @rule(data=st.data())
    def merge(self, data: st.DataObject) -> None:
        one, other = data.draw(st.permutations(sorted(self.model)))[:2]
        self.gallery.merge(one, other)
        self.model[other] |= self.model.pop(one)
        if one in self.not_them:
            self.not_them.setdefault(other, set()).update(self.not_them.pop(one))
        del self.ids[one]

    @precondition(lambda self: len(self.model) < 5 and any(len(d) > 1 for d in self.model.values()))
    @rule(data=st.data())
    def split(self, data: st.DataObject) -> None:
        splittable = sorted(name for name, own in self.model.items() if len(own) > 1)
        name = data.draw(st.sampled_from(splittable))
        new = sorted({"Ada", "Ben", "Cleo", "Dan", "Eve"} - set(self.model))[0]
        some = sorted(self.model[name])[: len(self.model[name]) // 2]
        self.ids[new] = self.gallery.split(name, some, new).id
        self.model[name] -= set(some)
        self.model[new] = set(some)

    @rule(kept=st.integers(1, 3))
    def trim_the_log(self, kept: int) -> None:
        self.client.xtrim(Keys().gallery_log, maxlen=kept, approximate=False)

    @rule()
    def flush(self) -> None:
        self.client.flushdb()
        self.model, self.ids, self.not_them = {}, {}, {}

    @rule(which=st.integers(0, 1))
    def one_follows(self, which: int) -> None:
        self.replicas[which].step(block_ms=1)

    @invariant()
    def one_that_has_caught_up_equals_the_model(self) -> None:
        fresh = Replica(self.client, Keys(), worker=None, encoder=ENCODER)
        fresh.load()
        for replica in (fresh, *self.replicas):
            if replica.view.position != self.gallery.position():
                continue
            known = {
                person: {row.tobytes() for row in rows}
                for person, rows in replica.encodings().items()
            }
            assert known == self.expected(self.model)
            not_them = {
                person: {row.tobytes() for row in rows}
                for person, rows in replica.view.negatives.items()
            }
            assert not_them == self.expected(self.not_them)
            self.check_everyone_is_found(replica)

    def expected(self, digests: dict[str, set[str]]) -> dict[str, set[bytes]]:
        return {
            self.ids[name]: {self.encodings[digest] for digest in own}
            for name, own in digests.items()
        }

    def check_everyone_is_found(self, replica: Replica) -> None:
        for name, own in self.model.items():
            probe = np.frombuffer(self.encodings[min(own)], "<f4").astype(np.float32)
            (candidates,) = replica.view.index.search(probe[None])
            person = replica.view.people.get(candidates[0].person)
            assert person is not None and person.name == name

    @invariant()
    def the_truth_equals_the_model(self) -> None:
        assert {person.name: person.id for person in self.gallery.people()} == self.ids
        for name, own in self.model.items():
            assert {photo.digest for photo in self.gallery.photos(self.ids[name])} == own


@pytest.mark.parametrize("exact", [20_000, 20])
def test_every_replica_knows_what_a_dictionary_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exact: int
) -> None:
    """exact: the size from which codes are scanned."""
    monkeypatch.setattr("index.rows.EXACT", exact)
    server = EmbeddedRedis(tmp_path)
    GalleryModel.url = server.start()
    try:
        run_state_machine_as_test(
            GalleryModel,
            settings=settings(
                max_examples=12,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                database=None,
                derandomize=True,
            ),
        )
    finally:
        server.stop()
