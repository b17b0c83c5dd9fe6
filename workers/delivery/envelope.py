"""What a message on the queue must look like before Celery is shown it.

Celery acts on much that a message may say: which task, how it is written, what to call afterwards,
when. Ours say one task, msgpack and one argument. Anything else is nobody's of ours.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pybase64
from msgspec import Meta

from facetrail.errors import BadMessage
from facetrail.wire import MOST_BYTES, TASK, Message

#: Base64 is a third longer, and there is an envelope.
MOST_RAW_BYTES = MOST_BYTES * 4 // 3 + 10_000

Text = Annotated[str, Meta(max_length=1_000)]


class Headers(msgspec.Struct):
    """Of Celery's protocol 2."""

    task: Literal["facetrail.recognise"]
    id: Text
    eta: None = None
    group: None = None
    timelimit: tuple[None, None] = (None, None)
    retries: Literal[0] = 0


class Destination(msgspec.Struct):
    """Where kombu sent it."""

    exchange: Text
    routing_key: Text


class Properties(msgspec.Struct):
    """Of kombu."""

    delivery_info: Destination
    body_encoding: Literal["base64"]
    delivery_tag: Text


class Envelope(msgspec.Struct, rename={"content_type": "content-type"}):
    """A message as it lies in the queue."""

    body: str
    headers: Headers
    properties: Properties
    content_type: Literal["application/x-msgpack"]


class Afterwards(msgspec.Struct):
    """What Celery would do next."""

    callbacks: None = None
    errbacks: None = None
    chain: None = None
    chord: None = None


_START = b'{"body": "'
_decoder = msgspec.json.Decoder(Envelope)
_arguments = msgspec.msgpack.Decoder(tuple[tuple[Any], dict[str, Any], Afterwards])


def opened(raw: bytes) -> dict[str, Any]:
    """The message as kombu takes it, its body decoded: of what came only that which is known.

    Raises BadMessage for any but ingest's.
    """
    if len(raw) > MOST_RAW_BYTES:
        raise BadMessage(f"expected at most {MOST_RAW_BYTES} bytes, got {len(raw)}")
    try:
        text, rest = _body_apart(raw)
        envelope = _decoder.decode(rest)
        body = pybase64.b64decode(text or envelope.body, validate=True)
        _, named, _ = _arguments.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadMessage(f"expected a message for {TASK}: {error}") from error
    if named:
        raise BadMessage(f"expected a message for {TASK}: it has named arguments")
    sent = envelope.properties.delivery_info
    return {
        "body": body,
        "content-type": envelope.content_type,
        "content-encoding": "binary",
        "headers": {"lang": "py", "task": TASK, "id": envelope.headers.id},
        "properties": {
            "correlation_id": envelope.headers.id,
            "delivery_info": {"exchange": sent.exchange, "routing_key": sent.routing_key},
            "delivery_tag": envelope.properties.delivery_tag,
        },
    }


def _body_apart(raw: bytes) -> tuple[bytes, bytes]:
    """The body, and the message with an empty one, as kombu writes it: a parser of JSON takes its
    time over hundreds of kilobytes. Nothing, and all of the message, if it is written otherwise.
    """
    start, end = len(_START), raw.find(b'"', len(_START))
    if end < 0 or not raw.startswith(_START):
        return b"", raw
    return raw[start:end], _START + raw[end:]


def oldest_capture(raw: bytes) -> int | None:
    """When the oldest chip of a queued message was captured, in nanoseconds. Raises BadMessage."""
    (data,), _, _ = msgspec.msgpack.decode(opened(raw)["body"])
    chips = Message.readable(data)[0].chips
    return min((chip.captured_at for chip in chips), default=None)
