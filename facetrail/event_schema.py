"""MatchEvent as JSON Schema: `python -m facetrail.event_schema > docs/event.schema.json`."""

from __future__ import annotations

import msgspec

from facetrail.events import SCHEMA, MatchEvent


def event_schema() -> str:
    """The text of docs/event.schema.json."""
    schema = msgspec.json.schema(MatchEvent)
    title = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Facetrail event, schema {SCHEMA}",
    }
    return msgspec.json.format(msgspec.json.encode(title | schema), indent=2).decode() + "\n"


if __name__ == "__main__":
    print(event_schema(), end="")
