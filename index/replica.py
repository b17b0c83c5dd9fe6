"""A worker's copy of the gallery: follows the log, swaps whole."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np
import redis
import structlog

from facetrail.errors import BadEncodings, EncoderMismatch, GalleryError, NoSuchPerson
from facetrail.events import Person
from facetrail.store import Keys
from facetrail.wire import Encodings
from index.calibration import Calibration
from index.face_index import FaceIndex, checked
from index.gallery import Change, Gallery
from index.rows import NOBODY

BLOCK_MS = 500
PAUSE_S = 1.0
#: A worker's applied position outlives it by this, in seconds.
APPLIED_TTL_S = 60

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class View:
    """The gallery at one position of its log; never changed.

    calibration: what holds in place of the encoder's own threshold and margin; None: they do.
    """

    position: str
    index: FaceIndex
    people: dict[str, Person]
    calibration: Calibration | None = None


class Replica:
    """Keeps `view` at most one reading of the log behind the truth.

    worker: under whose name the applied position is published; None for a command, which reads
    once and says nothing. encoder: the id whose encodings can be searched; a gallery of another
    is refused.
    """

    def __init__(
        self, client: redis.Redis, keys: Keys, *, worker: str | None, encoder: str
    ) -> None:
        self._client = client
        self._keys = keys
        self._gallery = Gallery(client, keys)
        self._worker = worker
        self._encoder = encoder
        self._people: dict[str, Person] = {}
        self._calibration: Calibration | None = None
        self.view = View("0-0", FaceIndex([], NOBODY), {})

    def load(self) -> None:
        """Reads the whole gallery. Raises EncoderMismatch."""
        self._check_encoder()
        position = self._gallery.position()  # first: what changes meanwhile is applied again
        self._people.clear()
        people = {person.id: self._read(person.id) for person in self._gallery.people()}
        self._read_calibration()
        self._swap(position, FaceIndex([], NOBODY).changed(people))

    def encodings(self) -> dict[str, Encodings]:
        """Float32 `(k, 128)` of the k photos of each person, by id."""
        return self.view.index.people()

    def step(self, block_ms: int = BLOCK_MS) -> None:
        """Applies what the log has, waiting `block_ms` for something."""
        changes = list(self._gallery.changes(self.view.position, block_ms=block_ms))
        if changes:
            self._apply(changes)
        self._publish_position()

    def follow(
        self, stop: threading.Event, *, mismatched: Callable[[], None] = lambda: None
    ) -> None:
        """Steps until `stop`; a Redis that is away is waited for.

        mismatched: called when the gallery has come to belong to another encoder.
        """
        while not stop.is_set():
            try:
                self.step()
            except redis.RedisError as error:  # away, or full and refusing to write
                log.warning("gallery not followed, the last state serves", error=str(error))
                stop.wait(PAUSE_S)
            except EncoderMismatch as error:
                log.error("gallery not followed, nobody is known", error=str(error))
                mismatched()
                stop.wait(PAUSE_S)

    def _apply(self, changes: list[Change]) -> None:
        try:
            self._check_encoder()
        except EncoderMismatch:
            # Only an empty gallery changes its encoder, so everyone known here was removed.
            self._people.clear()
            self._swap(self.view.position, FaceIndex([], NOBODY))
            raise
        people = {change.person for change in changes if change.person is not None}
        index = self.view.index.changed({person: self._read(person) for person in people})
        if self._encoder in {change.encoder for change in changes}:
            self._read_calibration()
        self._swap(changes[-1].position, index)
        if index.worn:
            # Aside: what changes meanwhile is applied to the new one afterwards.
            self._swap(self.view.position, index.rebuilt())

    def _check_encoder(self) -> None:
        own = self._gallery.encoder
        if own is not None and own != self._encoder:
            raise EncoderMismatch(
                f"the gallery belongs to encoder {own}, this worker runs {self._encoder}: "
                "start it with the gallery's"
            )

    def _read(self, person_id: str) -> Encodings:
        """Takes over what the gallery has of a person, who may be gone; their encodings."""
        self._people.pop(person_id, None)
        try:
            person = self._gallery.person(person_id)
            rows = [photo.numbers for photo in self._gallery.photos(person_id)]
            encodings = checked(np.stack(rows)) if rows else None
        except NoSuchPerson:
            return NOBODY
        except (msgspec.MsgspecError, ValueError, BadEncodings) as error:
            log.error("unreadable in the gallery, left out", person=person_id, error=str(error))
            return NOBODY
        if encodings is None:
            return NOBODY
        self._people[person_id] = Person(
            id=person.id, name=person.name, external_id=person.external_id
        )
        return encodings

    def _read_calibration(self) -> None:
        try:
            self._calibration = self._gallery.calibration(self._encoder)
        except GalleryError as error:
            self._calibration = None
            log.error("the encoder's own threshold and margin hold", error=str(error))

    def _swap(self, position: str, index: FaceIndex) -> None:
        """Readers keep their view until they look again."""
        self.view = View(position, index, dict(self._people), self._calibration)
        self._publish_position()
        if self._worker is not None:
            log.info("gallery applied", position=position, people=len(self._people))

    def _publish_position(self) -> None:
        if self._worker is None:
            return
        self._client.set(self._keys.applied(self._worker), self.view.position, ex=APPLIED_TTL_S)
