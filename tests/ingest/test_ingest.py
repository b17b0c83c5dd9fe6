"""Which cameras a host reads, how many processes it starts at once, and what a change restarts."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr
from structlog.testing import capture_logs

from facetrail.cameras import Camera
from facetrail.embedded_redis import EmbeddedRedis
from facetrail.store import Keys, connect
from ingest.__main__ import Ingest
from ingest.sharing.camera_file import SETTLED_S, CameraFile
from ingest.sharing.keeper import Keeper
from ingest.sharing.leases import LEASE_S
from ingest.sharing.spares import Spares, start
from ingest.sharing.watcher import STOP_S, Watcher

#: End with their stdin; the first says that it lives.
LIVES = ("sh", "-c", "echo .; cat > /dev/null")
SILENT = ("sh", "-c", "cat > /dev/null")

Wait = Callable[..., None]
Running = Callable[..., AbstractContextManager[list[Watcher]]]


@pytest.fixture
def running(keys: Keys) -> Running:
    """`with running(client, 3, LIVES) as watchers:` runs a host with three cameras."""

    @contextmanager
    def host(client: redis.Redis, count: int, command: tuple[str, ...]) -> Iterator[list[Watcher]]:
        made: list[Watcher] = []

        def watcher(camera: Camera) -> Watcher:
            made.append(Watcher(camera, start=partial(start, command)))
            return made[-1]

        cameras = [Camera(name=f"c{i}", url=SecretStr("rtsp://h")) for i in range(count)]
        keeper = Keeper(client, keys, "us", spare_cores=lambda: 4.0)
        ingest = Ingest(cameras, keeper, Spares(partial(start, SILENT)), watcher=watcher)
        stop = threading.Event()
        thread = threading.Thread(target=ingest.loop, args=[stop])
        thread.start()
        yield made
        stop.set()
        thread.join()
        ingest.shutdown()
        assert not any(one.running for one in made)

    return host


def lively(watchers: list[Watcher]) -> list[str]:
    """The cameras whose processes have said that they live."""
    return [one.camera.name for one in watchers if one.running and not one.starting]


def test_every_camera_is_read_and_its_lease_freed_at_the_end(
    running: Running, client: redis.Redis, keys: Keys, wait_for: Wait
) -> None:
    with running(client, 5, LIVES) as watchers:
        wait_for(lambda: len(lively(watchers)) == 5)
        assert len(client.keys(keys.lease("*"))) == 5
    assert client.keys(keys.lease("*")) == []


def test_no_more_start_at_once_than_there_are_cores(
    running: Running, client: redis.Redis, keys: Keys, wait_for: Wait
) -> None:
    cores = os.cpu_count() or 1
    with running(client, cores + 2, SILENT) as watchers:
        wait_for(lambda: sum(one.running for one in watchers) == cores)
        # Once leases are renewed, it has looked again
        client.delete(*client.keys(keys.lease("*")))
        wait_for(lambda: len(client.keys(keys.lease("*"))) == cores + 2)
        assert sum(one.running for one in watchers) == cores


def test_a_death_is_said_though_many_start(
    running: Running, client: redis.Redis, keys: Keys, wait_for: Wait
) -> None:
    # Given as many processes that start, and hang at that, as there are cores
    cores = os.cpu_count() or 1
    with running(client, cores + 1, SILENT) as watchers:
        wait_for(lambda: sum(one.running for one in watchers) == cores)
        first = next(one for one in watchers if one.running)
        pid = first.pid

        # If one of them dies, I expect it to be reaped, and another camera's to start
        os.kill(pid or 0, signal.SIGKILL)
        wait_for(lambda: first.pid is None)
        wait_for(lambda: sum(one.running for one in watchers) == cores)


def test_a_camera_another_host_reads_is_left_to_it(
    running: Running, client: redis.Redis, keys: Keys, wait_for: Wait
) -> None:
    # Given two cameras, one of which another host reads
    client.set(keys.lease("c0"), "them")
    with running(client, 2, LIVES) as watchers:
        wait_for(lambda: lively(watchers) == ["c1"])

        # If it takes the other one too, I expect us to let go
        client.set(keys.lease("c1"), "them")
        wait_for(lambda: not lively(watchers))

        # and to read what it gives back
        client.delete(keys.lease("c0"))
        wait_for(lambda: lively(watchers) == ["c0"])
    assert client.get(keys.lease("c1")) == b"them"


def test_cameras_stay_read_while_redis_is_away(
    running: Running, tmp_path: Path, wait_for: Wait
) -> None:
    server = EmbeddedRedis(tmp_path)
    client = connect(server.start())
    with running(client, 1, LIVES) as watchers:
        wait_for(lambda: lively(watchers))
        (pid,) = [one.pid for one in watchers]
        server.stop()
        with pytest.raises(redis.ConnectionError):
            client.ping()
        time.sleep(LEASE_S + 1)
        assert lively(watchers) == ["c0"]
        server.start()
        wait_for(lambda: client.keys("*"))
        assert [one.pid for one in watchers] == [pid]
    client.close()
    server.stop()


#: Says at once that it lives, and does not care when it is asked to end.
DEAF = ("sh", "-c", "echo .; trap '' TERM; sleep 100 < /dev/null")


class Followed:
    """A host that follows a camera file, and what it reads."""

    def __init__(self, path: Path, keeper: Keeper) -> None:
        self.path = path
        self.made: list[Watcher] = []
        self.file = CameraFile(path)
        self.stop = threading.Event()
        self.ingest = Ingest(
            self.file.cameras, keeper, Spares(partial(start, SILENT)), watcher=self._watcher
        )
        self.thread = threading.Thread(target=self.ingest.loop, args=[self.stop, self.file])

    def _watcher(self, camera: Camera) -> Watcher:
        self.made.append(Watcher(camera, start=partial(start, LIVES)))
        return self.made[-1]

    def running(self) -> dict[str, tuple[float, int | None]]:
        """Name, frames a second and process of each camera that is read."""
        alive = [one for one in self.made if one.running and not one.starting]
        return {one.camera.name: (one.camera.fps, one.pid) for one in alive}

    def edit(self, text: str) -> None:
        """As editors do: a new file takes the old one's place."""
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.replace(self.path)


THREE = "cameras:\n  a: {url: rtsp://h}\n  b: {url: rtsp://h}\n  c: {url: rtsp://h}\n"


@pytest.fixture
def followed(client: redis.Redis, keys: Keys, tmp_path: Path, wait_for: Wait) -> Iterator[Followed]:
    """A host that reads three cameras."""
    (tmp_path / "cameras.yml").write_text(THREE)
    keeper = Keeper(client, keys, "us", spare_cores=lambda: 4.0)
    host = Followed(tmp_path / "cameras.yml", keeper)
    host.thread.start()
    wait_for(lambda: len(host.running()) == 3)
    yield host
    host.stop.set()
    host.thread.join()
    host.ingest.shutdown()


def test_only_what_changed_is_started_again(
    followed: Followed, client: redis.Redis, keys: Keys, wait_for: Wait
) -> None:
    # Given three cameras that are read
    before = followed.running()

    # If one is changed, one taken out and one added
    followed.edit(
        "cameras:\n  a: {url: rtsp://h}\n  b: {url: rtsp://h, fps: 9}\n  d: {url: rtsp://h}\n"
    )
    wait_for(lambda: set(followed.running()) == {"a", "b", "d"} and followed.running()["b"][0] == 9)

    # I expect the one that is the same to go on in its process
    after = followed.running()
    assert after["a"] == before["a"]
    assert after["b"][1] != before["b"][1]
    wait_for(lambda: not client.exists(keys.lease("c")))
    assert client.exists(*(keys.lease(name) for name in "abd")) == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("cameras:\n  a: {url: rtsp://h, fpz: 3}\n", "line 2: cameras.a.fpz is not a known key"),
        ("cameras: {", "is not YAML"),
        ("", "needs a key 'cameras'"),
    ],
)
def test_a_bad_edit_is_refused_and_the_cameras_stay(
    text: str, sentence: str, followed: Followed, wait_for: Wait
) -> None:
    # Given three cameras that are read, and a camera file that can't be
    before = followed.running()
    with capture_logs() as lines:
        followed.edit(text)
        wait_for(lambda: [line for line in lines if "refused" in line["event"]])
    (line,) = (line for line in lines if "refused" in line["event"])
    assert sentence in line["cause"]

    # If it is mended, I expect that to be read
    assert followed.running() == before
    followed.edit(THREE + "  d: {url: rtsp://h}\n")
    wait_for(lambda: len(followed.running()) == 4)
    assert followed.running().items() >= before.items()


def test_a_file_that_is_gone_is_a_bad_edit(followed: Followed, wait_for: Wait) -> None:
    with capture_logs() as lines:
        followed.path.unlink()
        wait_for(lambda: [line for line in lines if "refused" in line["event"]])
    assert len(followed.running()) == 3


def test_a_half_written_file_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "cameras.yml"
    path.write_text(THREE)
    file = CameraFile(path)
    path.write_text("cameras:\n  a: {url: rtsp://h}\n")
    assert not file.changed(0.0)  # seen now
    assert not file.changed(SETTLED_S / 2)
    assert file.changed(SETTLED_S)


def test_a_process_that_does_not_end_holds_up_no_other(
    client: redis.Redis, keys: Keys, wait_for: Wait
) -> None:
    # Given a camera whose process does not end when it is asked to
    keeper = Keeper(client, keys, "us", spare_cores=lambda: 4.0)
    made: list[Watcher] = []

    def watcher(camera: Camera) -> Watcher:
        made.append(Watcher(camera, start=partial(start, DEAF)))
        return made[-1]

    cameras = [Camera(name="a", url=SecretStr("rtsp://h"))]
    ingest = Ingest(cameras, keeper, Spares(partial(start, SILENT)), watcher=watcher)
    for now in (100.0, 101.0):
        keeper.step(now)
        ingest.step(now)
    assert made[0].running

    # If it is wanted no more, I expect others to be read meanwhile
    ingest.change([Camera(name="b", url=SecretStr("rtsp://h"))])
    for now in (102.0, 102.1):
        keeper.step(now)
        ingest.step(now)
    assert made[0].running and made[1].camera.name == "b" and made[1].running
    assert client.get(keys.lease("a")) == b"us"

    # and it to be killed after a while, and then its lease to be freed
    ingest.step(102.0 + STOP_S + 1)
    wait_for(lambda: not made[0].running)
    ingest.step(102.0 + STOP_S + 1)
    for _ in range(2):
        keeper.step(103.0)
    assert not client.exists(keys.lease("a"))
    for one in made:
        one.stop(0.0)
    keeper.stop()
