"""`python -m ingest.watch`: one camera's process, as `python -m ingest` starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from facetrail.children import end
from facetrail.events import replay
from facetrail.store import Keys
from facetrail.wire import TrackEnded
from tests.ingest.clips import moving, write_clip
from tests.ingest.queued import items

Wait = Callable[..., None]
Process = subprocess.Popen[bytes]


@pytest.fixture
def watch(redis_url: str, client: redis.Redis, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """`watch(line)` starts one and sends it a line; its log is `watch.log`."""
    running: list[Process] = []

    def started(line: bytes, **variables: str) -> Process:
        environment = os.environ | {"FACETRAIL_REDIS_URL": redis_url} | variables
        with (tmp_path / "watch.log").open("ab") as log:
            command = [sys.executable, "-m", "ingest.watch"]
            pipe = subprocess.PIPE
            process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=log, env=environment
            )
        running.append(process)
        assert process.stdin is not None
        process.stdin.write(line + b"\n")
        process.stdin.flush()
        return process

    yield started
    for process in running:
        with process:
            end(process, wait_s=5.0)


def camera(path: Path) -> bytes:
    return json.dumps({"name": "lobby", "url": str(path), "fps": 15}).encode()


def test_a_face_becomes_chips_and_an_end_and_the_process_ends_when_told(
    watch: Callable[..., Process],
    face_clip: Path,
    client: redis.Redis,
    keys: Keys,
    wait_for: Wait,
    tmp_path: Path,
) -> None:
    # Given a clip of two seconds, in a loop
    process = watch(camera(face_clip))

    # If it has been seen twice, and the process is asked to end
    wait_for(lambda: [i for i in items(client, keys) if isinstance(i, TrackEnded)], timeout_s=60)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    assert process.wait(6) == 0
    assert set(process.stdout.read()) == {ord(".")}

    # I expect one track for each round, its chips before its end, the last one ended too
    found = items(client, keys)
    ends = [item for item in found if isinstance(item, TrackEnded)]
    assert len({end.stream_epoch for end in ends}) == len(ends) >= 1
    for end_ in ends:
        place = found.index(end_)
        track = (end_.stream_epoch, end_.track)
        chips = [i for i in found[:place] if (i.stream_epoch, i.track) == track]
        assert [chip.number for chip in chips] == list(range(1, end_.chips_sent + 1))  # type: ignore[union-attr]
    assert ends[0].chips_sent >= 3
    assert found[-1] == ends[-1]
    assert [event.type for event in replay(client, keys, "0")] == ["camera_online"]
    log = (tmp_path / "watch.log").read_text()
    assert "Traceback" not in log and "Fatal" not in log


def test_a_camera_that_comes_late_is_offline_and_then_online(
    watch: Callable[..., Process], client: redis.Redis, keys: Keys, wait_for: Wait, tmp_path: Path
) -> None:
    # Given a camera whose file is not there
    process = watch(camera(tmp_path / "late.mp4"))
    wait_for(lambda: list(replay(client, keys, "0")), timeout_s=60)

    # If it comes
    write_clip(tmp_path / "clip.mp4", moving(30)).rename(tmp_path / "late.mp4")
    wait_for(lambda: len(list(replay(client, keys, "0"))) == 2, timeout_s=20)

    # I expect both to be said, and SIGTERM to end it well
    off, on = replay(client, keys, "0")
    assert (off.type, off.cause) == ("camera_offline", "No such file or directory")
    assert (on.type, on.cause) == ("camera_online", None)
    process.send_signal(signal.SIGTERM)
    assert process.wait(6) == 0


@pytest.mark.parametrize(
    ("line", "variables", "sentence"),
    [
        (b'{"url": "rtsp://u:hunter2@h"}', {}, "expected a camera's settings"),
        (b"{}", {"FACETRAIL_DETECTOR": "haar"}, "FACETRAIL_DETECTOR='haar' can't be used"),
    ],
)
def test_what_it_can_not_begin_with_is_one_sentence(
    line: bytes,
    variables: dict[str, str],
    sentence: str,
    watch: Callable[..., Process],
    tmp_path: Path,
) -> None:
    assert watch(line, **variables).wait(30) == 1
    log = (tmp_path / "watch.log").read_text()
    assert sentence in log
    assert "Traceback" not in log and "hunter2" not in log


def test_what_comes_with_the_settings_is_not_lost_and_no_terminals_end_ends_it(
    watch: Callable[..., Process], face_clip: Path, client: redis.Redis, keys: Keys, wait_for: Wait
) -> None:
    # Given a process that is told at once that it is wanted, and how much may wait
    process = watch(camera(face_clip) + b"\n16.0000\n16.0000")
    wait_for(lambda: items(client, keys), timeout_s=60)

    # If the terminal closes, I expect it to go on, and to end as usual
    process.send_signal(signal.SIGHUP)
    client.delete(keys.queue)
    assert process.stdin is not None
    process.stdin.write(b"16.0000\n")
    process.stdin.flush()
    wait_for(lambda: items(client, keys), timeout_s=10)
    process.stdin.close()
    assert process.wait(6) == 0
