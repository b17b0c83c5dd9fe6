"""Names and words that come from outside, as any terminal, file and JSON can hold them."""

from __future__ import annotations

from pathlib import Path
from unicodedata import category

#: Characters of a name that are shown.
MOST = 1000
#: In place of what would break a line, or can't be written.
LOST = "\N{REPLACEMENT CHARACTER}"


def shown(name: Path | str) -> str:
    """A file's name, or another, in one line of at most MOST characters."""
    whole = printable(str(name))
    return whole if len(whole) <= MOST else whole[: MOST - 1] + "…"


def printable(words: str) -> str:
    """In one line, however long."""
    return "".join(sign if sign.isprintable() or category(sign) == "Zs" else LOST for sign in words)
