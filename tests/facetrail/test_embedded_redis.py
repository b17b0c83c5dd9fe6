"""A Redis of our own: it starts, keeps what it is given, and ends."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from benchmarks import redis_kills
from facetrail.embedded_redis import EmbeddedRedis, running_url, server_binary
from facetrail.errors import RedisAway


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    made = EmbeddedRedis(tmp_path / "data")
    yield made
    made.stop()


def test_it_answers_once_started(server: EmbeddedRedis) -> None:
    with redis.Redis.from_url(server.start()) as client:
        assert client.ping()
    assert not server.died()


def test_starting_twice_does_no_harm(server: EmbeddedRedis) -> None:
    server.start()
    pid = server.pid
    with redis.Redis.from_url(server.start()) as client:
        assert client.ping()
    assert server.pid == pid


def test_it_is_reached_by_no_network(server: EmbeddedRedis) -> None:
    with redis.Redis.from_url(server.start()) as client:
        assert client.config_get("port") in ({b"port": b"0"}, {"port": "0"})


def test_nothing_is_left_running_after_stop(server: EmbeddedRedis) -> None:
    server.start()
    pid = server.pid
    assert pid is not None

    server.stop()

    assert not Path(f"/proc/{pid}").exists()
    assert not Path(server.url.removeprefix("unix://")).parent.exists()


def test_it_is_found_by_its_data_folder_while_it_runs(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "redis")
    assert running_url(tmp_path) is None
    assert running_url(tmp_path / "nowhere") is None
    server.start()
    assert running_url(tmp_path) == server.url

    # neither a second one that can't start nor one stopped before takes that away
    second = EmbeddedRedis(tmp_path / "redis")
    with pytest.raises(RedisAway):
        second.start()
    second.stop()
    assert running_url(tmp_path) == server.url

    server.stop()
    assert running_url(tmp_path) is None
    assert not (tmp_path / "redis" / "url").exists()


def test_what_a_killed_one_wrote_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "url").write_text(f"unix://{tmp_path / 'gone.sock'}")
    assert running_url(tmp_path) is None


def test_stopping_twice_does_no_harm(server: EmbeddedRedis) -> None:
    server.start()
    server.stop()
    server.stop()


@pytest.mark.parametrize("folder", ["data", "a folder with spaces", 'quoted "so" \\ and é'])
def test_what_it_was_given_survives_a_restart(tmp_path: Path, folder: str) -> None:
    # Given a Redis that was given something and stopped
    first = EmbeddedRedis(tmp_path / folder)
    with redis.Redis.from_url(first.start()) as client:
        client.set("name", "ada")
    first.stop()

    # If another is started in its folder, and it again
    for server in (EmbeddedRedis(tmp_path / folder), first):
        with redis.Redis.from_url(server.start()) as client:
            # I expect it to be there
            assert client.get("name") == b"ada"
        server.stop()


def test_what_it_was_given_survives_a_kill(server: EmbeddedRedis, tmp_path: Path) -> None:
    with redis.Redis.from_url(server.start()) as client:
        client.set("name", "ada")
    assert server.pid is not None
    os.kill(server.pid, 9)
    while not server.died():
        pass

    with redis.Redis.from_url(server.start()) as client:
        assert client.get("name") == b"ada"


def test_two_never_work_in_one_folder(server: EmbeddedRedis) -> None:
    server.start()
    second = EmbeddedRedis(server.folder)
    with pytest.raises(RedisAway, match=f"another `facetrail up` uses .*process {server.pid}"):
        second.start()
    assert not Path(second.url.removeprefix("unix://")).parent.exists()
    with redis.Redis.from_url(server.url) as client:
        assert client.ping()


def test_a_broken_data_file_is_told_with_the_logs_path(server: EmbeddedRedis) -> None:
    # Given a server's folder whose file was spoiled while it was down
    with redis.Redis.from_url(server.start()) as client:
        client.set("name", "ada")
    server.stop()
    files = [path for path in server.folder.rglob("*.aof") if path.is_file()]
    assert files
    for path in files:
        path.write_bytes(b"no Redis wrote this\r\n" * 10)

    # If it is started, I expect a sentence that says where to look, and no process
    with pytest.raises(RedisAway) as caught:
        server.start()
    log = server.folder / "redis.log"
    assert f"{log} says why" in str(caught.value)
    assert "Bad file format" in log.read_text()
    assert server.died()


def test_a_broken_binary_is_told(
    server: EmbeddedRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bin" / "redis-server"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho it is broken\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")

    with pytest.raises(RedisAway, match="redis.log says why"):
        server.start()
    assert "it is broken" in (server.folder / "redis.log").read_text()


def test_a_file_that_is_no_program_is_told(
    server: EmbeddedRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bin" / "redis-server"
    broken.parent.mkdir()
    broken.write_bytes(b"\x7fELF, but no further")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")

    with pytest.raises(RedisAway, match=f"{broken}"):
        server.start()


def test_the_binary_of_the_package_serves_where_there_is_no_redis(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert Path(server_binary()).resolve().is_relative_to(Path(sys.prefix).resolve())


def test_the_binary_on_the_path_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "redis-server"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert server_binary() == str(own)


def test_a_place_too_deep_for_a_socket_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("deep" * 25)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(RedisAway, match="deep for a socket.*name a shorter folder in TMPDIR"):
        EmbeddedRedis(tmp_path / "data").start()
    assert not list(deep.iterdir())


def test_nothing_that_it_has_answered_is_lost_by_kills(
    server: EmbeddedRedis, tmp_path: Path
) -> None:
    with redis.Redis.from_url(server.start(), decode_responses=True) as client:
        assert client.config_get("appendfsync") == {"appendfsync": "always"}
    found = redis_kills.run(tmp_path / "killed", kills=2)
    assert found.answered > 10
    assert found.lost == 0


def test_one_that_is_killed_while_its_child_rewrites_its_file_is_started_again(
    server: EmbeddedRedis,
) -> None:
    # Given one whose child takes two seconds to rewrite its file
    with redis.Redis.from_url(server.start()) as client:
        for number in range(20):
            client.set(str(number), number)
        client.config_set("rdb-key-save-delay", 100_000)  # microseconds a key
        client.bgrewriteaof()
    process = psutil.Process(server.pid)
    (child,) = process.children()

    # If it is killed meanwhile
    process.kill()
    process.wait()
    assert child.is_running()
    assert list(server.folder.glob("temp-*"))

    # I expect another one to have its place, and nothing of what the child wrote to be left
    with redis.Redis.from_url(server.start()) as client:
        assert client.dbsize() == 20
    assert not list(server.folder.glob("temp-*"))
