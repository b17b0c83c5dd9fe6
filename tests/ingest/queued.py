"""What lies in the queue."""

from __future__ import annotations

import base64
import json

import msgspec
import redis

from facetrail.store import Keys
from facetrail.wire import TASK, FaceChip, Message, TrackEnded


def messages(client: redis.Redis, keys: Keys) -> list[Message]:
    """Oldest first, as Celery puts them there and as a worker reads them."""
    found = []
    for line in reversed(client.lrange(keys.queue, 0, -1)):
        envelope = json.loads(line)
        assert envelope["content-type"] == "application/x-msgpack"
        assert envelope["headers"]["task"] == TASK
        (data,), _, _ = msgspec.msgpack.decode(base64.b64decode(envelope["body"]))
        found.append(Message.parse(data))
    return found


def items(client: redis.Redis, keys: Keys) -> list[FaceChip | TrackEnded]:
    return [item for message in messages(client, keys) for item in message.items]
