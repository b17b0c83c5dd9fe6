"""`facetrail people remove`: a person is erased everywhere, and it can be proven."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec

from facetrail.cli.json_line import print_json
from facetrail.cli.people import open_gallery
from facetrail.errors import GalleryError
from facetrail.settings import Settings
from facetrail.store import answered
from index.erasure import Eraser, Erasure, Proof


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """What `people remove --json` prints. proof: what was looked at, if that was asked for."""

    names: list[str]
    ids: list[str]
    position: str
    events: int
    sightings: int
    proof: Proof | None
    proven: bool | None


def run(settings: Settings, names: Sequence[str], *, verify: bool, as_json: bool) -> bool:
    """Erases people; False if something of them was found, or could not be looked for.

    Raises NoSuchPerson, GalleryError, RedisAway.
    """
    gallery = open_gallery(settings)
    with answered(gallery.client):
        eraser = Eraser(gallery)
        try:
            erasure = eraser.erase(names)
            proof = eraser.proof(erasure) if verify else None
        except TimeoutError as error:
            raise GalleryError(
                f"they are erased, but {error}, so that erased data is in them until a worker has "
                "had them written anew: `facetrail people status` says when"
            ) from error
    if as_json:
        print_json(_removed(erasure, proof))
    else:
        _print(erasure, proof)
    return proof is None or proof.holds


def _removed(erasure: Erasure, proof: Proof | None) -> Removed:
    return Removed(
        names=[person.name for person in erasure.people],
        ids=[person.id for person in erasure.people],
        position=erasure.position,
        events=erasure.erased.events,
        sightings=erasure.erased.sightings,
        proof=proof,
        proven=proof.holds if proof else None,
    )


def _print(erasure: Erasure, proof: Proof | None) -> None:
    erased = erasure.erased
    for person in erasure.people:
        print(f"{person.name} is removed")
    print(f"{erased.events} events and {erased.sightings} sightings are erased with them")
    if proof is None:
        return
    kinds = ", ".join(sorted({trace.kind for trace in erasure.traces}))
    print(f"looked for {len(erasure.traces)} traces: {kinds}")
    print(f"{len(proof.workers)} workers have nothing of them in memory")
    if proof.files is None:
        print("Redis's files are not on this machine, or not to be seen: look there")
    else:
        print(f"searched Redis's files: {', '.join(proof.files)}")
    for worker in proof.unsure:
        print(f"worker {worker} has not followed yet", file=sys.stderr)
    for found in proof.found:
        print(f"still there: {found.kind} in {found.place}", file=sys.stderr)
    print("nothing of them is left" if proof.holds else "NOT proven: see above")
