"""What ingest sends to workers, as values and as bytes.

Boxes are x, y, width, height; times are nanoseconds since the epoch, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Protocol

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from facetrail.errors import BadMessage

TASK = "facetrail.recognise"
QUEUE = "chips"
SCHEMA = 1

#: Chips of one message: the limit for a sender. A worker splits what is longer,
MOST_CHIPS = 32
#: up to so many chips and ends of tracks.
MOST_ITEMS = 1_000
#: A hundred chips with their context pictures; anything longer is no message of ours.
MOST_BYTES = 8_000_000

#: Height, width and colours, RGB.
CHIP_SHAPE = (112, 112, 3)

Encodings = NDArray[np.float32]
Chips = NDArray[np.uint8]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
#: Neither infinite nor NaN, which would spoil a vote and be no JSON.
Finite = Annotated[float, Meta(ge=-1e9, le=1e9)]
Positive = Annotated[float, Meta(ge=0, le=1e9)]
Share = Annotated[float, Meta(ge=0, le=1)]
Point = tuple[Finite, Finite]
Box = tuple[Finite, Finite, Finite, Finite]


class Encoder(Protocol):
    """Chips to encodings, and the two distances by which they are judged.

    id: `name@` and the first 8 digits of the weights' SHA-256.
    threshold: the largest Euclidean distance of unit encodings of one person, 0 to 2.
    margin: how much nearer than the runner-up the nearest person must be.
    """

    id: str
    threshold: float
    margin: float

    def encode(self, chips: Chips) -> Encodings:
        """Uint8 `(n, 112, 112, 3)` RGB to float32 `(n, 128)`, rows of length 1."""
        ...


class Quality(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How good a chip is.

    height: of the face, in pixels of the frame. sharpness: variance of the Laplacian.
    yaw: 0 frontal, 1 in profile. pitch: 0 level, 1 straight up or down. brightness: 0 black,
    1 white. score: all in one, 0 to 1. Senders before these had no pitch and brightness.
    """

    height: Positive
    sharpness: Positive
    yaw: Share
    pitch: Share = 0.0
    brightness: Share = 0.5
    score: Share


class FaceChip(msgspec.Struct, frozen=True, kw_only=True, tag="chip"):
    """One aligned face on its way from a camera to a worker.

    chip_id: a uuid7. camera: its name in the camera file. stream_epoch: when the stream was
    opened, in milliseconds. track: the appearance, counted from 1 within the stream.
    number: this chip's among those of its track, from 1. box: pixels of the frame.
    frame_size: width, height. landmarks: five x y in pixels of the frame. zones: names of
    those the face is in. jpeg: the 112x112 RGB chip. context: a JPEG for people to look at.
    """

    chip_id: Name
    camera: Name
    stream_epoch: int
    track: Annotated[int, Meta(ge=1)]
    number: Annotated[int, Meta(ge=1, le=10_000_000)]
    captured_at: int
    box: Box
    frame_size: tuple[Annotated[int, Meta(ge=1)], Annotated[int, Meta(ge=1)]]
    landmarks: tuple[Point, Point, Point, Point, Point]
    detection_score: Finite
    quality: Quality
    zones: tuple[Name, ...] = ()
    jpeg: Annotated[bytes, Meta(max_length=200_000)]
    context: Annotated[bytes, Meta(max_length=1_000_000)] = b""

    def __repr__(self) -> str:
        return (
            f"FaceChip({self.camera} {self.stream_epoch}/{self.track} #{self.number}, "
            f"{len(self.jpeg)} jpeg bytes)"
        )


class TrackEnded(msgspec.Struct, frozen=True, kw_only=True, tag="track_ended"):
    """The last word on a track, sent after the last of its chips.

    chips_sent: how many chips of the track were put on the queue.
    """

    camera: Name
    stream_epoch: int
    track: Annotated[int, Meta(ge=1)]
    ended_at: int
    chips_sent: Annotated[int, Meta(ge=0)]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What one Celery message carries: chips and ends of tracks, in their order.

    retried: it was set aside, and somebody wants it recognised however old it is.
    """

    schema: Annotated[int, Meta(ge=1)] = SCHEMA
    items: tuple[FaceChip | TrackEnded, ...]
    retried: bool = False

    def __bytes__(self) -> bytes:
        return _encoder.encode(self)

    @property
    def chips(self) -> list[FaceChip]:
        return [item for item in self.items if isinstance(item, FaceChip)]

    @property
    def ends(self) -> list[TrackEnded]:
        return [item for item in self.items if isinstance(item, TrackEnded)]

    @classmethod
    def parse(cls, data: bytes) -> Message:
        """Raises BadMessage if `data` was not written by this schema or an earlier one."""
        message, unreadable = cls.readable(data)
        if unreadable:
            raise BadMessage(unreadable[0].reason)
        return message

    @classmethod
    def readable(cls, data: bytes) -> tuple[Message, list[Unreadable]]:
        """The message without those of its items that can't be read, and those.

        Raises BadMessage if `data` was not written by this schema or an earlier one, or holds
        more than any sender sends.
        """
        if not isinstance(data, bytes):
            raise BadMessage(f"expected bytes, got {type(data).__name__}")
        if len(data) > MOST_BYTES:
            raise BadMessage(f"expected at most {MOST_BYTES} bytes, got {len(data)}")
        try:
            message = _decoder.decode(data)
        except ERRORS:
            return _one_by_one(data)
        _check(message.schema, len(message.items))
        return message, []


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An item of a message, as a message of its own. reason: what is wrong with it."""

    reason: str
    data: bytes


class _SchemaOnly(msgspec.Struct):
    schema: Annotated[int, Meta(ge=1)]


class _Loose(msgspec.Struct):
    schema: int
    items: list[msgspec.Raw]


#: What the decoders say of bytes that are none of ours.
ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Message)
_schema_decoder = msgspec.msgpack.Decoder(_SchemaOnly)
_loose_decoder = msgspec.msgpack.Decoder(_Loose)
_item_decoder = msgspec.msgpack.Decoder(FaceChip | TrackEnded)


def _check(schema: int, items: int) -> None:
    if schema > SCHEMA:
        raise BadMessage(f"expected schema {SCHEMA} or earlier, got {schema}")
    if items > MOST_ITEMS:
        raise BadMessage(f"expected at most {MOST_ITEMS} chips, got {items}")


def _one_by_one(data: bytes) -> tuple[Message, list[Unreadable]]:
    try:
        _check(_schema_decoder.decode(data).schema, 0)
        loose = _loose_decoder.decode(data)
    except ERRORS as error:
        raise BadMessage(f"expected a message of chips: {error}") from error
    _check(loose.schema, len(loose.items))
    items, unreadable = [], []
    for raw in loose.items:
        try:
            items.append(_item_decoder.decode(raw))
        except ERRORS as error:
            own = _encoder.encode(_Loose(loose.schema, [raw]))
            unreadable.append(Unreadable(f"expected a message of chips: {error}", own))
    return Message(schema=loose.schema, items=tuple(items)), unreadable
