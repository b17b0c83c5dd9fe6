"""The sample clips, the server that plays them, and events that nobody had to see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from examples.scene import sample_clips
from facetrail.events import EventType, MatchEvent, Person


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return sample_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="session")
def event() -> Callable[..., MatchEvent]:
    """`event("person_enter", "lobby", track=1, name="Ada")`, and any other field."""

    def made(
        kind: EventType, camera: str, *, track: int = 1, name: str | None = None, **fields: object
    ) -> MatchEvent:
        facts: dict[str, object] = {
            "id": f"{camera}-{track}-{kind}",
            "stream_epoch": 1,
            "captured_at": "2026-11-01T12:00:00.000000Z",
            "published_at": "2026-11-01T12:00:00.250000Z",
        }
        person = Person(id=name.lower(), name=name) if name else None
        return MatchEvent(type=kind, camera=camera, track=track, person=person, **facts | fields)  # type: ignore[arg-type]

    return made
