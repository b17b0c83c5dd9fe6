"""What ingest sends survives the trip, and nothing else is taken for it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facetrail.errors import BadMessage
from facetrail.wire import MOST_BYTES, SCHEMA, FaceChip, Message, Quality, TrackEnded

RECORDED = Path(__file__).parents[1] / "data" / "message_v1.bin"

LANDMARKS = ((60.0, 80.0), (90.5, 80.0), (75.0, 95.0), (63.0, 110.0), (88.0, 110.0))
CHIP = FaceChip(
    chip_id="0190a1b2-0000-7000-8000-000000000001",
    camera="lobby",
    stream_epoch=1_800_000_000_000,
    track=3,
    number=2,
    captured_at=1_800_000_000_123_456_789,
    box=(50.0, 60.0, 60.5, 70.25),
    frame_size=(640, 360),
    landmarks=LANDMARKS,
    detection_score=0.75,
    quality=Quality(height=70.25, sharpness=120.5, yaw=0.125, score=0.5),
    zones=("door",),
    jpeg=b"\xff\xd8 a face \xff\xd9",
    context=b"\xff\xd8 its surroundings \xff\xd9",
)
END = TrackEnded(
    camera="lobby",
    stream_epoch=1_800_000_000_000,
    track=3,
    ended_at=1_800_000_002_000_000_000,
    chips_sent=2,
)
MESSAGE = Message(items=(CHIP, END))


def test_a_message_survives_the_trip() -> None:
    assert Message.parse(bytes(MESSAGE)) == MESSAGE
    assert (MESSAGE.chips, MESSAGE.ends) == ([CHIP], [END])


def test_a_message_cut_at_any_place_is_refused() -> None:
    data = bytes(MESSAGE)
    for end in range(len(data)):
        with pytest.raises(BadMessage):
            Message.parse(data[:end])


def test_a_message_with_a_tail_is_refused() -> None:
    with pytest.raises(BadMessage):
        Message.parse(bytes(MESSAGE) + b"\x00")


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BadMessage):
        Message.parse(data)


@given(st.integers(0, 10_000), st.integers(0, 255))
@settings(max_examples=300, deadline=None)
def test_an_altered_byte_is_refused_or_read_and_never_worse(at: int, value: int) -> None:
    data = bytearray(bytes(MESSAGE))
    data[at % len(data)] = value
    try:
        Message.parse(bytes(data))
    except BadMessage as error:
        assert str(error)


@pytest.mark.parametrize("value", [None, "text", 1, {"schema": 1, "items": []}, bytearray(b"x")])
def test_what_is_not_bytes_is_refused(value: object) -> None:
    with pytest.raises(BadMessage, match="expected bytes, got"):
        Message.parse(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("camera", ""),
        ("camera", "x" * 201),
        ("camera", 7),
        ("track", 0),
        ("number", 0),
        ("number", 10_000_001),
        ("captured_at", "now"),
        ("box", [1.0, 2.0, 3.0]),
        ("frame_size", [0, 360]),
        ("landmarks", [[1.0, 2.0]] * 4),
        ("jpeg", "text"),
        ("jpeg", b"x" * 200_001),
        ("context", b"x" * 1_000_001),
        ("quality", None),
    ],
)
def test_a_field_of_another_type_or_size_is_refused(field: str, value: object) -> None:
    with pytest.raises(BadMessage, match="expected a message of chips"):
        Message.parse(_altered(field, value))


def test_pitch_and_brightness_come_across_and_may_be_missing() -> None:
    quality = Quality(height=70, sharpness=120, yaw=0.1, pitch=0.25, brightness=0.75, score=0.5)
    chip = msgspec.structs.replace(CHIP, quality=quality)
    assert Message.parse(bytes(Message(items=(chip,)))).items == (chip,)
    (old,) = Message.parse(RECORDED.read_bytes()).chips
    assert (old.quality.pitch, old.quality.brightness) == (0.0, 0.5)


@pytest.mark.parametrize("field", ["score", "yaw", "height", "sharpness", "pitch", "brightness"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_a_quality_that_would_spoil_a_vote_is_refused(field: str, value: float) -> None:
    quality = msgspec.to_builtins(CHIP.quality) | {field: value}
    with pytest.raises(BadMessage):
        Message.parse(_altered("quality", quality))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused(value: float) -> None:
    for field, found in {
        "box": [0.0, value, 9.0, 9.0],
        "landmarks": [[1.0, value]] * 5,
        "detection_score": value,
    }.items():
        with pytest.raises(BadMessage):
            Message.parse(_altered(field, found))


def test_a_newer_schema_is_refused_by_its_number() -> None:
    newer = msgspec.msgpack.encode({"schema": SCHEMA + 1, "items": 7, "more": "of it"})
    with pytest.raises(BadMessage, match=f"expected schema {SCHEMA} or earlier, got {SCHEMA + 1}"):
        Message.parse(newer)


@pytest.mark.parametrize("schema", [0, -1, None, "1", 1.5])
def test_a_schema_that_never_was_is_refused(schema: object) -> None:
    with pytest.raises(BadMessage):
        Message.parse(msgspec.msgpack.encode({"schema": schema, "items": []}))


def test_an_unknown_field_of_a_later_writer_is_passed_over() -> None:
    # Given the same schema with a field more, as a rolling update may bring it
    fields = msgspec.msgpack.decode(bytes(MESSAGE))
    fields["added"] = "later"
    fields["items"][0]["added"] = "later"

    assert Message.parse(msgspec.msgpack.encode(fields)) == MESSAGE


def test_a_message_that_is_too_long_is_refused_unread() -> None:
    with pytest.raises(BadMessage, match=f"expected at most {MOST_BYTES} bytes"):
        Message.parse(bytes(MOST_BYTES + 1))


@pytest.mark.parametrize("key", ["items", "other"])
def test_a_message_nested_beyond_measure_is_refused(key: str) -> None:
    head = b"\x82\xa6schema\x01" + msgspec.msgpack.encode(key)
    with pytest.raises(BadMessage):
        Message.parse(head + b"\x91" * 100_000 + b"\xc0")


def test_repr_shows_the_size_of_a_face_and_not_the_face() -> None:
    assert repr(CHIP) == f"FaceChip(lobby 1800000000000/3 #2, {len(CHIP.jpeg)} jpeg bytes)"
    assert "\\x" not in repr(MESSAGE)
    assert "a face" not in repr(MESSAGE)
    assert "surroundings" not in repr(MESSAGE)


def test_a_value_does_not_change() -> None:
    with pytest.raises(AttributeError):
        CHIP.camera = "other"  # type: ignore[misc]


def test_the_message_recorded_with_schema_1_is_still_read() -> None:
    assert Message.parse(RECORDED.read_bytes()) == MESSAGE


def _altered(field: str, value: object) -> bytes:
    fields = msgspec.msgpack.decode(bytes(MESSAGE))
    fields["items"][0][field] = value
    return msgspec.msgpack.encode(fields)
