"""A clip of a stage, served over RTSP, with four people enrolled from one photo each."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
import redis

from examples.simulator import Simulator
from facetrail.events import MatchEvent, replay
from facetrail.store import Keys
from tests.end_to_end.conftest import START_S, Start

PHOTOS = ("lin-manuel-miranda.png", "alex-lacamoire.png", "obama.jpg", "biden.jpg")
#: In which part of the clip each may be named, in seconds. Nobody else, and nobody elsewhere.
SCENES = {
    "alex-lacamoire": (24 / 29.97, 84 / 29.97),
    "lin-manuel-miranda": (84 / 29.97, 216 / 29.97),
    "obama": (216 / 29.97, 275 / 29.97),
}
#: Between opening the stream and its first frame; frames are stamped when they arrive.
LATE_S = 1.0


@pytest.mark.parametrize(
    "encoder", ["dlib_resnet", pytest.param("retail0095", marks=pytest.mark.slow)]
)
def test_exactly_the_people_in_the_clip_are_entered_once(
    encoder: str,
    start: Start,
    rtsp_server: type[Simulator],
    client: redis.Redis,
    keys: Keys,
    wait_for: Callable[..., None],
    test_data: Path,
    model_dir: Path,
    tmp_path: Path,
) -> None:
    # Given four people enrolled, a worker, and the clip as a camera
    _put_photos(test_data / "videos", tmp_path / "people")
    enroll = ("enroll", "--folder", str(tmp_path / "people"))
    assert start("facetrail.cli", *enroll, FACETRAIL_ENCODER=encoder).wait(START_S) == 0
    start("workers")
    wait_for(lambda: client.keys(keys.applied("*")), timeout_s=START_S)
    clip = test_data / "videos" / "short_hamilton_clip.mp4"
    with rtsp_server({"stage": clip}, once=True, log=tmp_path / "rtsp.log") as cameras:
        camera_file = tmp_path / "cameras.yml"
        camera_file.write_text(f"cameras:\n  stage:\n    url: {cameras.url('stage')}\n")

        # If it is played once
        ingest = start("ingest", FACETRAIL_CAMERAS=str(camera_file))
        wait_for(lambda: _of_type(client, keys, "camera_offline"), timeout_s=40)
        ingest.terminate()
        ingest.wait(15)
    first = min(e.stream_epoch for e in replay(client, keys, "0") if e.stream_epoch)
    wait_for(lambda: _entered(client, keys, first) == _left(client, keys, first))
    events = [e for e in replay(client, keys, "0") if e.stream_epoch == first]

    # I expect the man on the stage, and whoever is named to be there at that moment
    enters = [event for event in events if event.type == "person_enter"]
    names = Counter(event.person.name for event in enters if event.person)
    assert "lin-manuel-miranda" in names
    assert set(names.values()) == {1}, f"each is entered once, got {names}"
    assert set(names) <= set(SCENES), f"only those in the clip may be named, got {names}"
    for event in enters:
        assert event.person is not None
        assert event.distance is not None and event.threshold is not None
        assert event.encoder is not None and event.encoder.startswith(encoder)
        assert event.distance <= event.threshold
        scene = SCENES[event.person.name]
        assert scene[0] <= _seconds(event) - first / 1000 <= scene[1] + LATE_S, event
    # and one enter for each appearance, which also leaves once
    assert max(Counter((e.track, e.type) for e in events if "update" not in e.type).values()) == 1
    assert len({event.id for event in events}) == len(events)


def _put_photos(source: Path, people: Path) -> None:
    for photo in PHOTOS:
        folder = people / photo.split(".")[0]
        folder.mkdir(parents=True)
        shutil.copy(source / photo, folder)


def _of_type(client: redis.Redis, keys: Keys, kind: str) -> list[MatchEvent]:
    return [event for event in replay(client, keys, "0") if event.type == kind]


def _entered(client: redis.Redis, keys: Keys, epoch: int) -> set[int | None]:
    """Tracks that entered and were not told apart later, named or not."""
    return {
        event.track
        for event in replay(client, keys, "0")
        if event.stream_epoch == epoch and event.type in ("person_enter", "unknown_enter")
    }


def _left(client: redis.Redis, keys: Keys, epoch: int) -> set[int | None]:
    events = [event for event in replay(client, keys, "0") if event.stream_epoch == epoch]
    named = {event.track for event in events if event.type == "person_enter"}
    left = {event.track for event in events if event.type == "person_exit"}
    return left | {e.track for e in events if e.type == "unknown_exit" and e.track not in named}


def _seconds(event: MatchEvent) -> float:
    return datetime.fromisoformat(event.captured_at).timestamp()
