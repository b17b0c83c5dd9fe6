"""A Redis as it comes loses what ours keeps, and every role says so as it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from benchmarks import kills
from facetrail.children import end, end_with_parent
from facetrail.embedded_redis import EmbeddedRedis, server_binary
from facetrail.redis_keeping import losses, warn_of_losses
from facetrail.store import Keys, connect

WaitFor = Callable[..., None]
Start = Callable[[], redis.Redis]
MESSAGES = 50


@pytest.fixture
def as_it_comes(tmp_path: Path, wait_for: WaitFor) -> Iterator[Start]:
    """Starts, or kills and starts anew, a Redis to which only its place was said."""
    folder, running = tmp_path / "stock", list[subprocess.Popen[bytes]]()
    folder.mkdir()
    socket = folder / "redis.sock"
    client = connect(f"unix://{socket}")

    def answers() -> bool:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False

    def start() -> redis.Redis:
        for server in running:
            server.kill()
            server.wait()
        words = [server_binary(), "--port", "0", "--unixsocket", str(socket), "--dir", str(folder)]
        with (folder / "redis.log").open("ab") as log:
            running.append(subprocess.Popen(words, stdout=log, preexec_fn=end_with_parent))
        wait_for(answers)
        return client

    yield start
    client.close()
    for server in running:
        end(server, wait_s=10)


@pytest.fixture
def ours(tmp_path: Path, wait_for: WaitFor) -> Iterator[Start]:
    """The same of the embedded one."""
    server = EmbeddedRedis(tmp_path / "ours")
    client = connect(server.url)

    def start() -> redis.Redis:
        if server.pid is not None:
            os.kill(server.pid, 9)
            wait_for(server.died)
        server.start()
        return client

    yield start
    client.close()
    server.stop()


def url_of(client: redis.Redis) -> str:
    return f"unix://{client.get_connection_kwargs()['path']}"


@pytest.mark.parametrize(("which", "left"), [("as_it_comes", 0), ("ours", MESSAGES)])
def test_a_redis_that_is_killed_keeps_its_messages_only_if_it_is_set_so(
    which: str, left: int, keys: Keys, request: pytest.FixtureRequest
) -> None:
    start: Start = request.getfixturevalue(which)
    client = start()
    kills.send(url_of(client), MESSAGES)
    assert client.llen(keys.queue) == MESSAGES
    assert start().llen(keys.queue) == left


def fill(client: redis.Redis) -> None:
    """Writes until Redis is full, or has had far more than it has room for."""
    for number in range(400):
        client.set(f"other:{number}", b"x" * 50_000)


def test_a_full_redis_keeps_the_queue_only_if_it_is_set_so(
    as_it_comes: Start, ours: Start, keys: Keys
) -> None:
    # Given messages in a Redis that is a cache, and in ours
    cache, own = as_it_comes(), ours()
    cache.config_set("maxmemory-policy", "allkeys-random")
    for client in (cache, own):
        kills.send(url_of(client), MESSAGES)
        used = int(client.info("memory")["used_memory"])
        client.config_set("maxmemory", used + 2_000_000)

    # If others fill both, I expect theirs to be refused by ours, and the queue to stay
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        fill(own)
    fill(cache)
    assert own.llen(keys.queue) == MESSAGES
    assert cache.llen(keys.queue) == 0


def test_what_may_be_lost_is_said_with_the_mend(as_it_comes: Start, ours: Start) -> None:
    assert losses(ours()) == []
    client = as_it_comes()
    client.config_set("maxmemory-policy", "volatile-lru")
    lost, evicted = losses(client)
    assert lost.endswith("set `appendonly yes`")
    assert "maxmemory-policy volatile-lru" in evicted
    assert evicted.endswith("set `maxmemory-policy noeviction`")


def test_every_role_warns_as_it_starts(
    as_it_comes: Start, cache_dir: Path, tmp_path: Path, wait_for: WaitFor
) -> None:
    client = as_it_comes()
    (tmp_path / "cameras.yml").write_text("cameras: {lobby: {url: 'rtsp://127.0.0.1:9/'}}\n")
    environment = os.environ | {
        "FACETRAIL_REDIS_URL": url_of(client),
        "FACETRAIL_CAMERAS": str(tmp_path / "cameras.yml"),
        "FACETRAIL_DETECTOR": "centerface",
        "FACETRAIL_CACHE_DIR": str(cache_dir),
    }
    files = {module: tmp_path / f"{module}.log" for module in ("ingest", "benchmarks.stand_in")}
    running = []
    for module, file in files.items():
        with file.open("wb") as log:
            command = [sys.executable, "-m", module]
            process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, preexec_fn=end_with_parent
            )
            running.append(process)
    try:
        for file in files.values():
            wait_for(lambda file=file: "set `appendonly yes`" in file.read_text(), timeout_s=60)
    finally:
        for process in running:
            end(process, wait_s=15)


def test_a_redis_that_can_not_be_asked_ends_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    warn_of_losses(connect("redis://127.0.0.1:9/0"))
    assert "was not asked" in capsys.readouterr().out
