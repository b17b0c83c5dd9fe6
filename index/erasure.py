"""A person is erased everywhere, and it can be proven."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec

from facetrail.erasure import Erased
from facetrail.errors import NoSuchPerson
from facetrail.redis_files import files_of, found_in
from index.copies import Copies, copies_of
from index.followers import followers
from index.gallery import Gallery
from index.person import EnrolledPerson
from index.reader import order
from index.rewriting import Rewriting
from index.traces import Found, Trace, found_in_redis, traces_of
from index.unfinished import Unfinished

POLL_S = 0.05


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased, and what remains to be looked for. position: of the last removal."""

    people: list[EnrolledPerson]
    traces: list[Trace]
    position: str
    erased: Erased


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at after an erasure.

    workers: all that have nothing of them in memory. unsure: workers of which that can't be
    said. files: of Redis, that were searched; None: they can't be seen from this machine.
    found: what is still somewhere.
    """

    workers: list[str]
    unsure: list[str]
    files: list[str] | None
    found: list[Found]

    @property
    def holds(self) -> bool:
        """Whether nothing was found and nothing was left unseen but other machines' files."""
        return not self.unsure and not self.found


class Eraser:
    """Removes people from the gallery, and erases everything that was seen and said of them."""

    def __init__(self, gallery: Gallery, *, wait_s: float = 60.0) -> None:
        self._gallery = gallery
        self._wait_s = wait_s

    def erase(self, names: Sequence[str]) -> Erasure:
        """All of them, or nobody if one is not there. Who is removed meanwhile is passed over.

        Raises NoSuchPerson, GalleryError; TimeoutError, where they are erased and workers see to
        Redis's files.
        """
        gallery = self._gallery
        people = list({p.id: p for p in (gallery.named(name) for name in names)}.values())
        unfinished = Unfinished(gallery, wait_s=self._wait_s)
        with unfinished.alone():
            copies = copies_of(gallery, people)
            traces = [trace for person in people for trace in traces_of(gallery, person, copies)]
            for person in people:
                self._remove(person, copies)
                unfinished.go_on()
            position = gallery.position()
            erased = unfinished.finish_alone()
            self._wait(unfinished.files.step)
        return Erasure(people=people, traces=traces, position=position, erased=erased)

    def _remove(self, person: EnrolledPerson, copies: Copies) -> None:
        try:
            self._gallery.remove_id(
                person.id,
                photos=copies.photos[person.id],
                sightings=copies.sightings[person.id],
            )
        except NoSuchPerson:  # another one was faster, and does what we do
            pass

    def _wait(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self._wait_s
        while not ready():
            if time.monotonic() > deadline:
                raise TimeoutError(f"Redis still writes its files after {self._wait_s:.0f} s")
            time.sleep(POLL_S)

    def proof(self, erasure: Erasure) -> Proof:
        """Looks everywhere, once workers and Redis's files are as far. Raises TimeoutError."""
        client, keys = self._gallery.client, self._gallery.keys
        workers, unsure = self._followed(erasure.position)
        self._wait(Rewriting(client, keys).is_done)
        found = found_in_redis(client, keys, erasure.traces)
        files = files_of(client)
        # Names and ids may be part of others' data there.
        searched = [trace for trace in erasure.traces if trace.kind not in ("id", "name")]
        wanted = {piece: trace.kind for trace in searched for piece in trace.pieces}
        for file in files or ():
            found += [Found(wanted[data], file.name) for data in found_in(file, wanted)]
        return Proof(
            workers=workers,
            unsure=unsure,
            files=None if files is None else [file.name for file in files],
            found=list(dict.fromkeys(found)),
        )

    def _followed(self, position: str) -> tuple[list[str], list[str]]:
        """The workers that have forgotten everything up to a position, and the others."""
        deadline = time.monotonic() + self._wait_s
        while True:
            every = followers(self._gallery.client, self._gallery.keys)
            late = [one.worker for one in every if order(one.forgotten) < order(position)]
            if not late or time.monotonic() > deadline:
                return [one.worker for one in every if one.worker not in late], late
            time.sleep(POLL_S)
