"""Connections: what can't be used or does not answer is one sentence, without a password."""

from __future__ import annotations

import dataclasses
import inspect
import socket

import pytest
import redis

from facetrail.errors import BadSettings, RedisAway
from facetrail.store import Keys, answered, broker_url, checked, connect, where


def test_a_redis_that_answers_is_handed_on(redis_url: str) -> None:
    client = checked(connect(redis_url))
    assert client.ping()
    client.close()


def test_answers_are_bytes(client: redis.Redis) -> None:
    client.set("name", "ada")
    assert client.get("name") == b"ada"


@pytest.mark.parametrize("url", [None, ""])
def test_no_url_is_refused_with_the_mend(url: str | None) -> None:
    with pytest.raises(BadSettings, match="FACETRAIL_REDIS_URL is not set: name a Redis"):
        connect(url)


@pytest.mark.parametrize(
    "url",
    [
        "localhost",
        "http://user:secret@host:6379/0",
        "redis://:secret@host:port/0",
        "redis://:se/cret@host:6379/0",
        "redis://:secret#1@host:6379/0",
        "redis://:secret@[host:6379/0",
        "redis://:secret@host/0?socket_timeout=5",
        "redis://:secret@host?db=3",
        "unix:///redis.sock?db=1",
    ],
)
def test_a_bad_url_is_refused_and_its_password_kept_to_itself(url: str) -> None:
    with pytest.raises(BadSettings, match="FACETRAIL_REDIS_URL can't be used") as caught:
        connect(url)
    assert "expected redis://HOST:PORT/DB" in str(caught.value)
    assert "cret" not in str(caught.value)
    assert "'se'" not in str(caught.value)


def test_a_redis_that_is_not_there_is_named_without_its_password() -> None:
    client = connect(f"redis://user:secret@127.0.0.1:{_closed_port()}/0")
    with pytest.raises(RedisAway) as caught:
        checked(client)
    sentence = str(caught.value)
    assert sentence.startswith(f"Redis at {where(client)} does not answer (")
    assert "FACETRAIL_REDIS_URL" in sentence
    assert "secret" not in sentence
    client.close()


def test_a_socket_that_is_not_there_is_named() -> None:
    with pytest.raises(RedisAway, match="Redis at /nowhere/redis.sock does not answer"):
        checked(connect("unix:///nowhere/redis.sock"))


def test_a_refused_password_is_away_too(client: redis.Redis, redis_url: str) -> None:
    client.acl_setuser("guarded", enabled=True, passwords=["+right"], commands=["+ping"])
    stranger = connect(redis_url.replace("unix://", "unix://guarded:wrong@"))
    with pytest.raises(RedisAway) as caught:
        checked(stranger)
    assert "wrong" not in str(caught.value).replace("WRONGPASS", "")
    stranger.close()
    client.acl_deluser("guarded")


def test_other_errors_pass_through(client: redis.Redis) -> None:
    client.set("text", "x")
    with pytest.raises(redis.ResponseError), answered(client):
        client.incr("text")


def test_where_says_the_standard_port() -> None:
    assert where(connect("redis://host")) == "host:6379"


def test_a_socket_is_spelled_as_kombu_wants_it() -> None:
    assert broker_url("unix:///run/redis.sock") == "redis+socket:///run/redis.sock"
    assert broker_url("redis://host:6379/0") == "redis://host:6379/0"


def test_every_key_begins_with_the_prefix() -> None:
    for name in _key_names(Keys("other:")):
        assert name.startswith("other:")


def test_no_two_keys_have_one_name() -> None:
    names = _key_names(Keys())
    assert len(set(names)) == len(names)


def _key_names(keys: Keys) -> list[str]:
    """The names of all keys, those of something with `x` in its place."""
    fields = {field.name for field in dataclasses.fields(keys)}
    found = []
    for name, member in inspect.getmembers(type(keys)):
        if name.startswith("_") or name in fields:
            continue
        value = getattr(keys, name)
        own = [str(value)] if isinstance(member, property) else []
        takes = inspect.signature(member).parameters if inspect.isfunction(member) else ()
        found += own or [value(*["x"] * (len(takes) - 1))]
    return found


def _closed_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
