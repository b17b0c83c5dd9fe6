from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from examples.portrait import Portrait, eileen_collins, grace_hopper
from examples.scene import FPS, FRAMES, LENGTH_S, PASSING_S, SCENES, Scene, sample_clips
from ingest.faces.face import Detector, Picture

EACH = pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.camera)


@pytest.fixture(scope="module")
def pictures(clips: dict[str, Path]) -> dict[str, list[Picture]]:
    """The decoded clips, by camera."""
    decoded = {}
    for camera, path in clips.items():
        with av.open(path) as file:
            frames = file.decode(video=0)
            decoded[camera] = [
                np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in frames
            ]
    return decoded


@EACH
def test_a_clip_is_as_long_as_its_scene(pictures: dict[str, list[Picture]], scene: Scene) -> None:
    assert len(pictures[scene.camera]) == FRAMES == FPS * LENGTH_S
    assert pictures[scene.camera][0].shape == (360, 640, 3)


@EACH
def test_a_clip_is_coded_as_cameras_do(clips: dict[str, Path], scene: Scene) -> None:
    with av.open(clips[scene.camera]) as file:
        stream = file.streams.video[0]
        packets = [packet for packet in file.demux(stream) if packet.size]
        assert stream.codec_context.name == "h264"
        assert stream.average_rate == Fraction(FPS)
        assert stream.codec_context.pix_fmt == "yuv420p"
    assert all(packet.pts == packet.dts for packet in packets)  # no B-frames
    assert [i for i, packet in enumerate(packets) if packet.is_keyframe] == list(
        range(0, FRAMES, FPS)
    )


@EACH
def test_a_clip_has_one_appearance_and_then_nobody(
    pictures: dict[str, list[Picture]], scene: Scene, detector: Detector
) -> None:
    faces = [len(detector.detect(picture)) for picture in pictures[scene.camera][::3]]
    ends = np.flatnonzero(np.diff([0, *faces, 0]))
    assert set(faces) == {0, 1}
    assert len(ends) == 2
    assert 4 * 5 < ends[1] - ends[0] < PASSING_S * 5  # five looks a second


@EACH
def test_the_empty_part_is_longer_than_a_track_lives_on(
    pictures: dict[str, list[Picture]], scene: Scene
) -> None:
    places = [scene.place(number / FPS) for number in range(FRAMES)]
    empty = [number for number, place in enumerate(places) if place is None]
    assert len(empty) >= 3.5 * FPS
    first, last = pictures[scene.camera][empty[0]], pictures[scene.camera][empty[-1]]
    assert np.abs(first.astype(int) - last).max() < 40  # nothing but noise


@EACH
def test_the_face_is_where_the_scene_puts_it(
    pictures: dict[str, list[Picture]], scene: Scene, detector: Detector
) -> None:
    middle = scene.starts_s + PASSING_S / 2
    place = scene.place(middle)
    (face,) = detector.detect(pictures[scene.camera][round(middle * FPS)])
    x, y, width, height = face.box
    assert place is not None
    assert x + width / 2 == pytest.approx(place.x, abs=12)
    assert y + height / 2 == pytest.approx(place.y, abs=12)
    assert 90 < height < 130


@pytest.mark.parametrize("portrait", [eileen_collins(), grace_hopper()], ids=["collins", "hopper"])
def test_a_cutout_keeps_the_face_and_drops_the_background(portrait: Portrait) -> None:
    cutout = portrait.cut_out()
    x, y = portrait.face
    assert cutout.shape == (*portrait.picture.shape[:2], 4)
    assert cutout[round(y), round(x), 3] == pytest.approx(1)
    assert not cutout[:8].any()
    assert (cutout[..., :3] <= cutout[..., 3:]).all()


def test_clips_are_made_once(tmp_path: Path, clips: dict[str, Path]) -> None:
    # Given the clips of another run
    for path in clips.values():
        (tmp_path / path.name).write_bytes(b"made before")
    (tmp_path / "lobby-0.mp4").write_bytes(b"drawn by older code")

    again = sample_clips(tmp_path)

    assert {path.read_bytes() for path in again.values()} == {b"made before"}
