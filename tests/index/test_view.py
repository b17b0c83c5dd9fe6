"""Whether a face may be called somebody's: by time, and by faces that are not theirs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import cast

import numpy as np
import pytest

from facetrail.events import Person
from facetrail.wire import Encodings
from index.face_index import Candidate, FaceIndex
from index.gallery import Gallery
from index.person import Rule
from index.photo import Photo
from index.roll import Roll
from index.rows import NOBODY
from index.view import View

SECOND = 10**9
#: 2027-01-01T00:00:00Z in nanoseconds.
NEW_YEAR = 1_798_761_600 * SECOND


@pytest.fixture
def view_of(gallery: Gallery) -> Callable[..., View]:
    """`view_of(rules={...})`: a view of nobody, with those rules."""
    return lambda **held: View("1-0", FaceIndex([], NOBODY), Roll(gallery), **held)


@pytest.mark.parametrize(
    ("rule", "at", "holds"),
    [
        (Rule(), NEW_YEAR, True),
        (Rule(active_from="2027-01-01T00:00:00+00:00"), NEW_YEAR, True),
        (Rule(active_from="2027-01-01T00:00:00+00:00"), NEW_YEAR - 1, False),
        (Rule(active_until="2027-01-01T00:00:00+00:00"), NEW_YEAR - 1, True),
        (Rule(active_until="2027-01-01T00:00:00+00:00"), NEW_YEAR, False),
        (Rule(active_until="2027-01-01T00:00:00+00:00"), 10**30, False),
        (Rule(active_from="2027-01-01T00:00:00+00:00"), -(10**30), False),
    ],
)
def test_outside_their_time_a_face_is_not_called_theirs(
    view_of: Callable[..., View], rule: Rule, at: int, holds: bool
) -> None:
    view = view_of(rules={"a0": rule})
    face = np.eye(128, dtype=np.float32)[0]
    assert view.rules_out(Candidate("a0", 0.1), face, at) is not holds
    assert not view.rules_out(Candidate("b0", 0.1), face, at)


def test_a_face_nearer_to_one_that_is_not_theirs_is_not_called_theirs(
    view_of: Callable[..., View], unit: Callable[..., Encodings]
) -> None:
    others = unit(3)
    view = view_of(negatives={"a0": others})
    near = others[1] + 0.1 * unit(1, seed=5)[0]
    near /= np.linalg.norm(near)
    distance = float(np.linalg.norm(near - others[1]))
    assert view.rules_out(Candidate("a0", distance + 0.01), near, 0)
    assert not view.rules_out(Candidate("a0", distance - 0.01), near, 0)
    assert not view.rules_out(Candidate("b0", 1.0), near, 0)


def test_names_are_read_once_and_again_after_a_change(
    gallery: Gallery, photo: Callable[[int], Photo]
) -> None:
    ada = gallery.enrol("Ada", [photo(1)], encoder="x@00000000")
    roll = Roll(gallery)
    assert roll.those([ada.id, "000000000000", ada.id]).keys() == {ada.id}
    gallery.describe("Ada", name="Ada Lovelace")
    known = roll.get(ada.id)
    assert known is not None and known.name == "Ada"
    roll.forget([ada.id])
    known = roll.get(ada.id)
    assert known is not None and known.name == "Ada Lovelace"
    gallery.remove(known.name)
    roll.forget_all()
    assert roll.get(ada.id) is None
    assert roll.those([]) == {}


def test_a_name_that_is_forgotten_while_another_thread_keeps_it_is_forgotten(
    gallery: Gallery, photo: Callable[[int], Photo]
) -> None:
    # Given a name that changes just when a thread that has read the old one keeps it
    ada = gallery.enrol("Ada", [photo(1)], encoder="x@00000000")
    roll = Roll(gallery)
    forgetting = threading.Thread(target=roll.forget, args=([ada.id],))

    class Slow(dict[str, Person]):
        def __or__(self, other: object) -> Slow:
            if forgetting.ident is None:
                gallery.describe("Ada", name="Ada Lovelace")
                forgetting.start()
                forgetting.join(0.2)
            return Slow({**self, **cast(dict[str, Person], other)})

        def __ior__(self, other: object) -> Slow:  # type: ignore[override, misc]
            return self | other

    roll._known = Slow()
    roll.get(ada.id)
    forgetting.join()

    known = roll.get(ada.id)
    assert known is not None and known.name == "Ada Lovelace"
