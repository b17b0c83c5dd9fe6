"""Hardware decodes where there is any; else software, which is said once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from av.codec.hwaccel import hwdevices_available
from structlog.testing import capture_logs

from ingest.reading.hardware import AUTO, SOFTWARE, Decoder, missing
from ingest.reading.stream import Opened, open_stream


def test_a_device_that_is_not_there_is_one_sentence_and_software() -> None:
    with capture_logs() as lines:
        decoder = Decoder("mediacodec")
    assert decoder.name == SOFTWARE and decoder.accelerator is None
    (line,) = lines
    assert line["event"].startswith("hwaccel mediacodec can't be used on this machine (")
    assert line["log_level"] == "warning"


@pytest.mark.parametrize("wanted", ["auto", "none"])
def test_who_asks_for_no_device_by_name_hears_nothing(wanted: str) -> None:
    with capture_logs() as lines:
        decoder = Decoder(wanted)
    there = [device for device in AUTO if missing(device) is None]
    assert decoder.name == (there[0] if there and wanted == "auto" else SOFTWARE)
    assert lines == []


@pytest.mark.parametrize("device", hwdevices_available())
def test_a_device_is_there_or_a_reason(device: str) -> None:
    reason = missing(device)
    assert reason is None or len(reason) > 3


def test_whatever_is_asked_for_the_picture_comes(clip: Path) -> None:
    for wanted in ("auto", "none", "cuda", "vaapi"):
        seen: list[Opened] = []
        frames = open_stream(
            str(clip), threading.Event(), decoder=Decoder(wanted), on_open=seen.append
        )
        shot = next(iter(frames))
        assert shot.video.to_ndarray(format="rgb24").shape == (240, 320, 3)
        assert seen[0].decoder in (SOFTWARE, *AUTO)


def test_a_device_that_has_gone_is_done_without(clip: Path) -> None:
    decoder = Decoder("none")
    absent = next((one for one in ("cuda", "qsv") if missing(one) is not None), None)
    if absent is None:
        pytest.skip("this machine has them all")
    decoder.name = absent  # as after the start of a machine that had it
    with capture_logs() as lines:
        shots = open_stream(str(clip), threading.Event(), decoder=decoder)
        assert next(iter(shots)).video.width == 320
    assert decoder.name == SOFTWARE or absent == "qsv"
    assert all("can't be used any more" in line["event"] for line in lines)


def test_a_device_that_shows_nothing_is_given_up_once() -> None:
    decoder = Decoder("none")
    decoder.name = "cuda"  # as on a machine that has one
    with capture_logs() as lines:
        decoder.give_up()
        decoder.give_up()
    assert decoder.accelerator is None
    assert [line["event"] for line in lines] == [
        "cuda shows no picture of this stream: decoding in software"
    ]
