"""People who walk by cameras, as a worker counts them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import cv2
import numpy as np
import redis

from facetrail.events import MatchEvent, Person, parse
from facetrail.store import Keys
from facetrail.wire import Encoder, Encodings
from index.face_index import Candidate
from ingest.faces.face import Picture
from tests.workers.conftest import Votes, chip, ended
from workers.call import Context
from workers.recognise import Judgement
from workers.strangers import Strangers

CHIPS = 5


@dataclass
class Street:
    """Cameras, and the worker that counts what they see. encoder: whose id sightings carry."""

    client: redis.Redis
    keys: Keys
    encoder: str
    people: dict[str, Person] = field(default_factory=dict)
    tracks: int = 0

    def __post_init__(self) -> None:
        self.votes = Votes(
            self.client,
            self.keys,
            worker="one",
            confirm=3,
            unknown=CHIPS,
            history=1000,
            snapshot_ttl_s=100,
            unknown_ttl_s=1000,
            redelivery_s=5,
            strangers=Strangers(self.client, self.keys, encoder=self.encoder),
        )

    def passes(
        self,
        camera: str,
        encoding: Encodings,
        *,
        person: Person | None = None,
        jpeg: bytes = b"chip",
        ago_s: float = 0.0,
        leaves: bool = True,
    ) -> MatchEvent:
        """Somebody comes by a camera, so long ago; the first event that says so."""
        self.tracks += 1
        began = time.time_ns() - int(ago_s * 1e9)
        said = self.client.xlen(self.keys.events)
        known = {person.id: person} if person else {}
        context = Context(encoder=self.encoder, threshold=0.36, index_position="1-0", people=known)
        nearest = Candidate(person.id, 0.2) if person else None
        for number in range(1, CHIPS + 1):
            made = chip(
                number,
                camera=camera,
                track=self.tracks,
                captured_at=began + number * 10**9,
                jpeg=jpeg,
                context=b"",
            )
            judged = Judgement(person and person.id, nearest, None, None, 0.5, encoding)
            self.votes.count([made], [judged], context)
        if leaves:
            at = began + (CHIPS + 5) * 10**9
            self.votes.end(ended(CHIPS, camera=camera, track=self.tracks, ended_at=at))
        place, fields = self.client.xrange(self.keys.events)[said]
        return parse(fields[b"event"], place.decode())


def seen_face(encoder: Encoder, chip: Picture) -> tuple[Encodings, bytes]:
    """The encoding `(128,)` of an aligned chip, and its JPEG."""
    encoded = cv2.imencode(".jpg", np.ascontiguousarray(chip[..., ::-1]))[1].tobytes()
    return encoder.encode(chip[None])[0], encoded


def unit(number: int) -> Encodings:
    """Of somebody made up, float32 `(128,)`."""
    return np.eye(128, dtype=np.float32)[number]
