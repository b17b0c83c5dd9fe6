"""The queue's app: msgpack and nothing else, one queue, keys under the prefix."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator

import msgspec
import pytest
import redis
from celery import Celery
from kombu.exceptions import ContentDisallowed
from kombu.serialization import dumps, loads

from facetrail.broker import celery_app
from facetrail.store import Keys
from facetrail.wire import TASK

PREFIX = "other:"


@pytest.fixture
def app(redis_url: str) -> Iterator[Celery]:
    made = celery_app(redis_url, key_prefix=PREFIX)
    yield made
    made.close()


def test_a_message_is_msgpack_under_our_prefix(app: Celery, client: redis.Redis) -> None:
    # If bytes are sent
    app.send_task(TASK, args=[b"\x00\xffface"], retry=False, ignore_result=True)

    # I expect one message, which holds them as they are, and no key that is not ours
    (message,) = client.lrange(Keys(PREFIX).queue, 0, -1)
    envelope = json.loads(message)
    assert envelope["content-type"] == "application/x-msgpack"
    assert envelope["headers"]["task"] == TASK
    args, _, _ = msgspec.msgpack.decode(base64.b64decode(envelope["body"]))
    assert args == [b"\x00\xffface"]
    assert client.keys("*")
    assert all(key.startswith(PREFIX.encode()) for key in client.keys("*"))


@pytest.mark.parametrize("serializer", ["pickle", "json", "yaml"])
def test_other_ways_to_write_a_message_are_refused(app: Celery, serializer: str) -> None:
    content_type, encoding, data = dumps([["x"], {}, {}], serializer=serializer)
    with pytest.raises(ContentDisallowed):
        loads(data, content_type, encoding, accept=app.conf.accept_content)


def test_an_encrypted_queue_asks_who_is_there() -> None:
    app = celery_app("rediss://:secret@queue.example:6380/1", key_prefix="x:")
    with app.connection_for_write() as connection:  # not opened
        assert connection.ssl == {"ssl_cert_reqs": ssl.CERT_REQUIRED}
