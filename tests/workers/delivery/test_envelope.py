"""Celery is shown what ingest sends, and nothing else."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import redis
from celery import Celery

from facetrail.broker import celery_app
from facetrail.errors import BadMessage
from facetrail.store import Keys
from facetrail.wire import MOST_BYTES, TASK
from workers.delivery.envelope import MOST_RAW_BYTES, opened


@pytest.fixture
def app(redis_url: str) -> Iterator[Celery]:
    made = celery_app(redis_url, key_prefix="facetrail:")
    yield made
    made.close()


@pytest.fixture
def raw(app: Celery, client: redis.Redis, keys: Keys) -> bytes:
    """A message as a sender writes it."""
    app.send_task(TASK, args=[b"face"], retry=False, ignore_result=True)
    found = client.rpop(keys.queue)
    assert isinstance(found, bytes)
    return found


def test_what_a_sender_writes_is_opened(raw: bytes) -> None:
    found, written = opened(raw), json.loads(raw)
    assert found["body"] == base64.b64decode(written["body"])
    assert (found["headers"]["task"], found["headers"]["id"]) == (TASK, written["headers"]["id"])
    assert found["properties"]["delivery_info"] == {"exchange": "", "routing_key": "chips"}


def test_what_else_it_says_is_not_passed_on(raw: bytes) -> None:
    message = json.loads(raw)
    message["headers"] |= {"stamped_headers": 5, "expires": "1999-01-01", "compression": "zip"}
    message |= {"content-encoding": 5}
    found = opened(json.dumps(message).encode())
    assert set(found["headers"]) == {"lang", "task", "id"}
    assert found["content-encoding"] == "binary"


def test_the_longest_message_is_opened(app: Celery, client: redis.Redis, keys: Keys) -> None:
    app.send_task(TASK, args=[b"x" * MOST_BYTES], retry=False, ignore_result=True)
    assert opened(client.rpop(keys.queue))  # type: ignore[arg-type]


def body(*parts: object) -> str:
    return base64.b64encode(msgspec.msgpack.encode(list(parts))).decode()


CHANGES: dict[str, dict[str, object]] = {
    "another_task": {"headers.task": "celery.chain"},
    "no_task": {"headers.task": None},
    "pickle": {"content-type": "application/x-python-serialize"},
    "json": {"content-type": "application/json"},
    "no_base64": {"body": "face!"},
    "no_msgpack": {"body": base64.b64encode(b"\xc1").decode()},
    "not_three_parts": {"body": body([b""], {})},
    "two_arguments": {"body": body([b"", b""], {}, {})},
    "a_named_argument": {"body": body([b""], {"data": b""}, {})},
    "something_to_call_afterwards": {"body": body([b""], {}, {"callbacks": [{"task": "x"}]})},
    "a_chain": {"body": body([b""], {}, {"chain": [{"task": "x"}]})},
    "later": {"headers.eta": "2100-01-01T00:00:00"},
    "no_tag": {"properties.delivery_tag": None},
    "nowhere": {"properties.delivery_info": {}},
    "no_headers": {"headers": None},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_what_is_not_of_ours_is_refused(changes: dict[str, object], raw: bytes) -> None:
    message: dict[str, Any] = json.loads(raw)
    for path, value in changes.items():
        *folders, name = path.split(".")
        place = message
        for folder in folders:
            place = place[folder]
        place[name] = value
    with pytest.raises(BadMessage, match="expected a message for facetrail.recognise"):
        opened(json.dumps(message).encode())


@pytest.mark.parametrize(
    "raw", [b"", b"x", b"null", b"[]", b"{}", b"\xff\xfe", b"[" * 10_000, b'{"body": 1}']
)
def test_what_is_no_message_at_all_is_refused(raw: bytes) -> None:
    with pytest.raises(BadMessage, match="expected a message"):
        opened(raw)


def test_what_is_too_long_is_not_even_read() -> None:
    with pytest.raises(BadMessage, match="expected at most"):
        opened(b"x" * (MOST_RAW_BYTES + 1))
