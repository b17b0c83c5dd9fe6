"""Whatever a name holds, it is shown in one line that can be written."""

from __future__ import annotations

import os

import pytest

from index.shown import MOST, printable, shown


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Zoë/東京 1.jpg", "Zoë/東京 1.jpg"),
        ("two\nlines\x1b[2J", "two\ufffdlines\ufffd[2J"),
        (os.fsdecode(b"caf\xe9"), "caf\ufffd"),
        ("right\u202eleft", "right\ufffdleft"),
        ("x" * (MOST + 1), "x" * (MOST - 1) + "…"),
    ],
)
def test_a_name_is_shown_in_one_line(name: str, expected: str) -> None:
    assert shown(name) == expected == shown(expected)


def test_long_words_are_kept_whole() -> None:
    assert printable("\t" + "x" * 2 * MOST) == "\ufffd" + "x" * 2 * MOST
