"""Photos are taken or refused with a reason; the good of a mixed list are enrolled."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import redis

from facetrail.errors import EncoderMismatch, GalleryError
from facetrail.wire import Encoder
from index.enrolment import REASONS, Enroller, Enrolment
from index.gallery import Gallery
from index.portrait import decoded, photos_in
from ingest.faces.face import Detector, Picture

Write = Callable[[str, Picture], Path]


@pytest.fixture
def enroller(gallery: Gallery, detector: Detector, encoder: Encoder) -> Enroller:
    return Enroller(gallery, detector, encoder, min_face=40)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write("ada.jpg", picture)` writes an RGB picture and gives its path."""

    def written(name: str, picture: Picture) -> Path:
        path = tmp_path / name
        assert cv2.imwrite(str(path), np.ascontiguousarray(picture[..., ::-1]))
        return path

    return written


def reasons(enrolment: Enrolment) -> list[str]:
    assert all(rejected.reason in REASONS for rejected in enrolment.rejected)
    assert all(str(rejected.path) in rejected.sentence for rejected in enrolment.rejected)
    assert all("\n" not in rejected.sentence for rejected in enrolment.rejected)
    return [rejected.reason for rejected in enrolment.rejected]


@pytest.mark.parametrize(
    "name", ["lin-manuel-miranda.png", "alex-lacamoire.png", "obama.jpg", "biden.jpg"]
)
def test_the_photos_of_the_clips_are_accepted(
    enroller: Enroller, test_data: Path, name: str
) -> None:
    path = test_data / "videos" / name
    enrolment = enroller.enrol(path.stem, [path])
    assert enrolment.person is not None
    assert (enrolment.person.name, enrolment.accepted) == (path.stem, (path,))
    assert enrolment.rejected == ()


def test_an_accepted_photo_is_kept_as_encoding_and_chip(
    enroller: Enroller, encoder: Encoder, write: Write, hopper: Picture
) -> None:
    path = write("grace.png", hopper)
    enrolment = enroller.enrol("Grace Hopper", [path], external_id="navy-1")
    assert enrolment.person is not None
    assert enrolment.person.external_id == "navy-1"
    assert enroller.gallery.encoder == encoder.id

    (photo,) = enroller.gallery.photos(enrolment.person.id)
    chip = decoded(path, photo.chip)
    assert photo.source == "grace.png"
    assert chip.shape == (112, 112, 3)
    assert np.linalg.norm(encoder.encode(chip[None])[0] - photo.numbers) < 0.1


def test_a_text_that_is_called_like_a_picture_is_refused(
    enroller: Enroller, tmp_path: Path
) -> None:
    path = tmp_path / "notes.jpg"
    for data in (b"dear diary", b"", b"\xff\xd8\xff\xe0 cut", bytes(100_000)):
        path.write_bytes(data)
        assert reasons(enroller.enrol("Ada", [path])) == ["not_an_image"]


def test_a_missing_file_and_a_folder_are_refused(enroller: Enroller, tmp_path: Path) -> None:
    enrolment = enroller.enrol("Ada", [tmp_path / "gone.jpg", tmp_path])
    assert reasons(enrolment) == ["not_an_image", "not_an_image"]
    assert "No such file" in enrolment.rejected[0].sentence


def test_a_photo_without_a_face_is_refused(enroller: Enroller, write: Write) -> None:
    slope = np.broadcast_to(np.linspace(0, 255, 640, dtype=np.uint8)[None, :, None], (480, 640, 3))
    for path in (write("slope.png", slope), write("dot.png", np.zeros((1, 1, 3), np.uint8))):
        assert reasons(enroller.enrol("Ada", [path])) == ["no_face"]


def test_a_photo_with_three_faces_is_refused(
    enroller: Enroller, write: Write, hopper: Picture
) -> None:
    enrolment = enroller.enrol("Grace", [write("three.jpg", np.hstack([hopper] * 3))])
    assert reasons(enrolment) == ["several_faces"]
    assert "3 faces were found" in enrolment.rejected[0].sentence


def test_a_small_face_in_the_background_does_no_harm(
    enroller: Enroller, write: Write, hopper: Picture, astronaut: Picture
) -> None:
    picture = hopper.copy()
    picture[400:528, :128] = cv2.resize(astronaut, (128, 128), interpolation=cv2.INTER_AREA)
    assert len(enroller.detector.detect(picture)) == 2
    assert reasons(enroller.enrol("Grace", [write("behind.png", picture)])) == []


def test_a_small_face_is_refused(enroller: Enroller, write: Write, astronaut: Picture) -> None:
    small = np.asarray(cv2.resize(astronaut, (160, 160), interpolation=cv2.INTER_AREA), np.uint8)
    enrolment = enroller.enrol("Eileen", [write("small.png", small)])
    assert reasons(enrolment) == ["too_small"]
    assert "use a photo with at least 40" in enrolment.rejected[0].sentence


def test_the_same_photo_is_taken_once(
    enroller: Enroller, write: Write, tmp_path: Path, hopper: Picture
) -> None:
    # Given one photo under two names
    path = write("grace.png", hopper)
    copy = tmp_path / "copy.png"
    copy.write_bytes(path.read_bytes())

    # If both are given at once, then one again, then for someone else
    first = enroller.enrol("Grace", [path, copy, path])
    again = enroller.enrol("Grace", [copy])
    other = enroller.enrol("Ada", [copy])

    # I expect it to be taken once, and the owner to be named
    assert first.accepted == (path,)
    assert reasons(first) == ["duplicate_photo", "duplicate_photo"]
    assert reasons(again) == reasons(other) == ["duplicate_photo"]
    assert "enrolled already, for Grace" in other.rejected[0].sentence
    assert (again.person, other.person) == (None, None)


def test_the_good_of_a_mixed_list_are_enrolled(
    enroller: Enroller, write: Write, hopper: Picture, tmp_path: Path
) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    good = write("grace.png", hopper)
    mirrored = write("mirrored.png", hopper[:, ::-1])
    empty = write("black.png", np.zeros((100, 100, 3), np.uint8))

    enrolment = enroller.enrol("Grace", [text, good, empty, mirrored])

    assert enrolment.person is not None
    assert enrolment.accepted == (good, mirrored)
    assert [rejected.path for rejected in enrolment.rejected] == [text, empty]
    assert reasons(enrolment) == ["not_an_image", "no_face"]
    assert len(enroller.gallery.photos(enrolment.person.id)) == 2


def test_nothing_is_kept_if_no_photo_is_accepted(
    enroller: Enroller, write: Write, client: redis.Redis
) -> None:
    enrolment = enroller.enrol("Ada", [write("black.png", np.zeros((100, 100, 3), np.uint8))])
    assert (enrolment.person, enrolment.accepted) == (None, ())
    assert list(client.scan_iter()) == []


def test_a_gallery_of_another_encoder_takes_no_photo(
    enroller: Enroller, gallery: Gallery, write: Write, hopper: Picture
) -> None:
    gallery.client.set(gallery.keys.gallery_encoder, "retail0095@580937da")
    with pytest.raises(EncoderMismatch, match="FACETRAIL_ENCODER=retail0095"):
        enroller.enrol("Grace", [write("grace.png", hopper)])
    assert gallery.people() == []


def test_a_name_that_cant_be_shown_is_refused_before_any_photo(
    enroller: Enroller, tmp_path: Path
) -> None:
    with pytest.raises(GalleryError, match="printable"):
        enroller.enrol("A\nda", [tmp_path / "gone.jpg"])


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_photo_that_was_held_sideways_is_turned(
    enroller: Enroller, write: Write, hopper: Picture, orientation: int
) -> None:
    # Given a JPEG whose pixels lie on their side or head, and its EXIF saying so
    turns = {3: 2, 6: 1, 8: 3}[orientation]
    path = write("turned.jpg", np.rot90(hopper, turns))
    path.write_bytes(_with_orientation(path.read_bytes(), orientation))

    # I expect it upright, and so accepted with the face where it was
    picture = decoded(path, path.read_bytes())
    assert picture.shape == hopper.shape
    assert np.abs(picture.astype(int) - hopper).mean() < 5
    assert reasons(enroller.enrol("Grace", [path])) == []


def test_pictures_of_every_kind_become_rgb(write: Write, hopper: Picture, tmp_path: Path) -> None:
    bgr = np.ascontiguousarray(hopper[..., ::-1])
    kinds = {
        "grey.png": cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY),
        "alpha.png": cv2.cvtColor(bgr, cv2.COLOR_BGR2BGRA),
        "deep.png": bgr.astype(np.uint16) * 257,
        "lossless.webp": bgr,
        "plain.bmp": bgr,
    }
    for name, pixels in kinds.items():
        path = tmp_path / name
        assert cv2.imwrite(str(path), pixels)
        picture = decoded(path, path.read_bytes())
        assert (picture.shape, picture.dtype) == (hopper.shape, np.dtype("uint8")), name
        assert np.abs(picture.mean() - hopper.mean()) < 5, name


def test_the_pictures_of_a_folder_come_by_name(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "notes.txt", ".DS_Store", "c.jpeg"):
        (tmp_path / name).touch()
    os.mkdir(tmp_path / "album.jpg")
    assert [path.name for path in photos_in(tmp_path)] == ["a.png", "b.JPG", "c.jpeg"]


def _with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The JPEG with an EXIF segment of one entry after its first marker."""
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01" + orientation.to_bytes(2, "big") + b"\0\0"
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + entry + b"\0\0\0\0"
    return jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
