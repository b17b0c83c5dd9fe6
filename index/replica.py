"""A worker's copy of the gallery: follows the log, swaps whole."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import msgspec
import redis
import structlog

from facetrail.errors import EncoderMismatch, GalleryError
from facetrail.store import Keys
from facetrail.wire import Encodings
from index.aside import Rebuilding
from index.calibration import Calibration
from index.face_index import FaceIndex
from index.photo import ENROLLED, NEGATIVE
from index.reader import START, Change, GalleryReader, Held, order
from index.roll import Roll
from index.rows import NOBODY
from index.view import View
from index.whole import readable, whole

BLOCK_MS = 500
PAUSE_S = 1.0
#: Of more people who changed at once the whole gallery is read anew: an import is faster so.
MOST_APPLIED = 5_000
#: A worker's applied position outlives it by this, in seconds.
APPLIED_TTL_S = 60

Value = TypeVar("Value")

log = structlog.get_logger(__name__)


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """How far a worker has followed.

    position: of the log. forgotten: up to there, nothing of whoever was removed is in its memory.
    problem: why it recognises nobody, where the gallery is another encoder's.
    """

    worker: str
    position: str
    forgotten: str
    encodings: int
    encoder: str
    problem: str | None = None


class Replica:
    """Keeps `view` at most one reading of the log behind the truth.

    worker: under whose name the applied position is published; None for a command, which reads
    once and says nothing. encoder: the id whose encodings can be searched; a gallery of another
    is refused. half: of a large gallery, keep encodings in 16 bits.
    """

    def __init__(
        self,
        client: redis.Redis,
        keys: Keys,
        *,
        worker: str | None,
        encoder: str,
        half: bool = False,
    ) -> None:
        self._client = client
        self._keys = keys
        self._gallery = GalleryReader(client, keys)
        self._worker = worker
        self._encoder = encoder
        self._half = half
        self._roll = Roll(self._gallery)
        self._rebuilding: Rebuilding | None = None
        self._erased_at: str | None = None  # somebody's rows are masked, and still in memory
        self._forgotten = START
        self.view = View(START, FaceIndex([], NOBODY), self._roll)

    def load(self) -> None:
        """Reads the whole gallery. Raises EncoderMismatch."""
        advanced = None
        while advanced is None:  # it was restored while it was read, or changed too much
            advanced = self._advanced(self._whole())
        self._rebuilding, self._erased_at = None, None
        self._take(*advanced)

    def encodings(self) -> dict[str, Encodings]:
        """Float32 `(k, 128)` of the k photos of each person, by id."""
        return self.view.index.people()

    def step(self, block_ms: int = BLOCK_MS) -> None:
        """Applies what the log has, waiting `block_ms` for something. Raises EncoderMismatch."""
        changes = self._changes(self.view.position, block_ms)
        if changes is None:
            log.warning("the gallery is not the one followed so far, or ran ahead: read anew")
            self.load()
        elif changes:
            self._apply(changes)
        self._rebuild()
        self._publish_position()

    def follow(
        self, stop: threading.Event, *, mismatched: Callable[[], None] = lambda: None
    ) -> None:
        """Steps until `stop`; a Redis that is away is waited for.

        mismatched: called, for as long as the gallery belongs to another encoder, every second; it
        must not raise.
        """
        while not stop.is_set():
            try:
                self.step()
                continue
            except redis.RedisError as error:  # away, or full and refusing to write
                log.warning("gallery not followed, the last state serves", error=str(error))
            except EncoderMismatch:  # said when it began
                mismatched()
            stop.wait(PAUSE_S)

    def _changes(self, after: str, block_ms: int) -> list[Change] | None:
        """None if the log does not go on from there: it was trimmed, flushed or restored."""
        changes = list(self._gallery.changes(after, block_ms=block_ms))
        if changes:
            return changes if changes[0].previous == after else None
        return changes if order(self._gallery.position()) >= order(after) else None

    def _apply(self, changes: list[Change]) -> None:
        # Where nobody was known, it takes more than the changes to know them all again.
        advanced = None if self.view.mismatch else self._advanced(self.view, changes)
        if advanced is None:
            self.load()
        else:
            self._take(*advanced)

    def _take(self, view: View, given: Mapping[str, Encodings]) -> None:
        """given: the encodings of those who changed."""
        self._roll.forget(given)
        if not all(len(rows) for rows in given.values()):
            self._erased_at = view.position
        if self._rebuilding is not None:
            self._rebuilding.change(given)
        self._swap(view)

    def _advanced(
        self, view: View, changes: Sequence[Change] = ()
    ) -> tuple[View, dict[str, Encodings]] | None:
        """The view after these changes and all others up to one instant, and whose encodings were
        read; None where everyone must be.

        What somebody holds is read later than that it changed. Had they merged with another one
        in between, whom these changes don't name, a view would show one half of that.
        """
        held: dict[str, Held] = {}
        new: Sequence[Change] | None = changes or self._newer(view.position)
        calibration = view.calibration
        while new:
            people = list(dict.fromkeys(person for change in new for person in change.people))
            if len(held) + len(people) > MOST_APPLIED:
                return None
            encoder, found = self._gallery.held(people)
            self._check(encoder)
            held |= found
            if self._encoder in {change.encoder for change in new}:
                calibration = self._read_calibration()
            view = replace(view, position=new[-1].position)
            new = self._newer(view.position)
        return None if new is None else _changed(view, held, calibration)

    def _newer(self, position: str) -> list[Change] | None:
        return [] if self._gallery.position() == position else self._changes(position, 1)

    def _whole(self) -> View:
        """Everyone; of whom changed while they were read, perhaps the half. Raises
        EncoderMismatch.
        """
        position = self._gallery.position()  # first: what changes meanwhile is applied again
        self._roll.forget_all()
        self._check(self._gallery.encoder)
        index, negatives = whole(self._gallery, self._encoder, half=self._half)
        self._check(self._gallery.encoder)
        calibration = self._read_calibration()
        return View(position, index, self._roll, self._gallery.rules(), negatives, calibration)

    def _rebuild(self) -> None:
        """Aside, where somebody's rows must go or too much has changed; taken over when done."""
        if self._rebuilding is None:
            index = self.view.index
            if index.worn or (self._erased_at is not None and index.masked):
                self._rebuilding = Rebuilding(index, self.view.position)
            return
        built = self._rebuilding.result()
        if built is None:
            return
        if self._erased_at and order(self._erased_at) <= order(self._rebuilding.position):
            self._erased_at = None
        self._rebuilding = None
        self._swap(replace(self.view, index=built))

    def _check(self, own: str | None) -> None:
        """Raises EncoderMismatch, and forgets everyone: they were of another encoder."""
        if own is None or own == self._encoder:
            return
        sentence = (
            f"the gallery belongs to encoder {own}, this worker runs {self._encoder}: "
            "start it with the gallery's"
        )
        if self._worker is not None and self.view.mismatch is None:
            log.error("gallery not followed, nobody is known", error=sentence)
        self._rebuilding, self._erased_at = None, None
        nobody = FaceIndex([], NOBODY)
        self.view = View(self.view.position, nobody, self._roll, mismatch=sentence)
        self._forgotten = self._gallery.position()
        self._publish_position()
        raise EncoderMismatch(sentence)

    def _read_calibration(self) -> Calibration | None:
        try:
            return self._gallery.calibration(self._encoder)
        except GalleryError as error:
            log.error("the encoder's own threshold and margin hold", error=str(error))
            return None

    def _swap(self, view: View) -> None:
        """Readers keep their view until they look again."""
        if not view.index.masked:
            self._erased_at = None
        if self._erased_at is None:
            self._forgotten = view.position
        self.view = view
        self._publish_position()
        if self._worker is not None:
            log.info("gallery applied", position=view.position, encodings=len(view.index))

    def _publish_position(self) -> None:
        if self._worker is None:
            return
        applied = Applied(
            worker=self._worker,
            position=self.view.position,
            forgotten=self._forgotten,
            encodings=len(self.view.index),
            encoder=self._encoder,
            problem=self.view.mismatch,
        )
        with self._client.pipeline(transaction=False) as pipe:
            pipe.set(
                self._keys.applied(self._worker), msgspec.json.encode(applied), ex=APPLIED_TTL_S
            )
            pipe.sadd(self._keys.workers, self._worker)
            pipe.execute()


def _changed(
    view: View, held: Mapping[str, Held], calibration: Calibration | None
) -> tuple[View, dict[str, Encodings]]:
    """The view in which these people have what they hold, and their encodings by id."""
    given: dict[str, Encodings] = {}
    rules, negatives = dict(view.rules), dict(view.negatives)
    for person, one in held.items():
        given[person] = readable(one.records, ENROLLED)[1]
        _set(rules, person, one.rule)
        not_theirs = readable(one.records, NEGATIVE)[1]
        _set(negatives, person, not_theirs if len(not_theirs) else None)
    index = view.index.changed(given) if given else view.index
    changed = replace(view, index=index, rules=rules, negatives=negatives, calibration=calibration)
    return changed, given


def _set(of: dict[str, Value], person: str, value: Value | None) -> None:
    if value is None:
        of.pop(person, None)
    else:
        of[person] = value
