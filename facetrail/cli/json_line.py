"""What `--json` prints."""

from __future__ import annotations

import sys

import msgspec


def json_line(value: msgspec.Struct) -> str:
    """One line, without its end."""
    return msgspec.json.encode(value).decode()


def print_json(value: msgspec.Struct) -> None:
    """One line on stdout."""
    sys.stdout.write(json_line(value) + "\n")
