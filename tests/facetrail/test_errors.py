"""The tree of errors is the one its docstring draws."""

from __future__ import annotations

import re

from facetrail import errors
from facetrail.errors import FacetrailError


def test_the_tree_is_drawn_as_it_is() -> None:
    assert _drawn() == {
        found.__name__: found.__mro__[1].__name__ for found in _descendants(FacetrailError)
    }


def test_every_error_says_what_it_is() -> None:
    for found in (FacetrailError, *_descendants(FacetrailError)):
        assert found.__doc__


def test_a_bad_picture_carries_its_reason() -> None:
    error = errors.BadPicture("no_face", "a.jpg: no face was found")
    assert (error.reason, str(error)) == ("no_face", "a.jpg: no face was found")


def _descendants(root: type[Exception]) -> list[type[Exception]]:
    own = root.__subclasses__()
    return own + [below for child in own for below in _descendants(child)]


def _drawn() -> dict[str, str]:
    """Each error in the docstring's drawing and its parent."""
    parents = {"": "FacetrailError"}
    found = {}
    for indent, mark, name in re.findall(r"^( +)([+-]) (\w+)", errors.__doc__ or "", re.M):
        found[name] = parents["" if mark == "+" else "    "]
        parents[" " * 4] = name if mark == "+" else parents[" " * 4]
        assert len(indent) == (2 if mark == "+" else 4)
    return found
