"""Photos are taken or refused with a reason; the good of a mixed list are enrolled."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
import redis
from PIL import Image

from facetrail.errors import EncoderMismatch, GalleryError
from facetrail.settings import Settings
from facetrail.store import Keys
from facetrail.wire import Chips, Encoder, Encodings, Quality
from index.enrolment import REASONS, Enroller, Enrolment, Rejected, Work
from index.gallery import Gallery
from index.person import EnrolledPerson
from index.photos.photo_source import AlignedChip
from index.photos.portrait import decoded, portrait
from ingest.faces.face import Detector, Face, Picture
from ingest.faces.jpeg import jpeg

Write = Callable[[str, Picture], Path]
GOOD = Quality(height=100, sharpness=300, yaw=0.1, score=1)


@pytest.fixture
def enroller(gallery: Gallery, detector: Detector, encoder: Encoder) -> Enroller:
    return Enroller(gallery, detector, encoder, min_face=40)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write("ada.jpg", picture)` writes an RGB picture and gives its path."""

    def written(name: str, picture: Picture) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        assert cv2.imwrite(str(path), np.ascontiguousarray(picture[..., ::-1]))
        return path

    return written


class NeverLooks:
    """A detector that must not be asked."""

    def detect(self, picture: Picture) -> list[Face]:
        pytest.fail("a photo was looked at")


class Counting:
    """The encoder, and how many chips it was given each time."""

    def __init__(self, encoder: Encoder) -> None:
        self.id, self.threshold, self.margin = encoder.id, encoder.threshold, encoder.margin
        self.encoder = encoder
        self.batches: list[int] = []

    def encode(self, chips: Chips) -> Encodings:
        self.batches.append(len(chips))
        return self.encoder.encode(chips)


def reasons(enrolment: Enrolment) -> list[str]:
    assert all(rejected.reason in REASONS for rejected in enrolment.rejected)
    assert all(rejected.photo in rejected.sentence for rejected in enrolment.rejected)
    assert all("\n" not in rejected.sentence for rejected in enrolment.rejected)
    return [rejected.reason for rejected in enrolment.rejected]


def only(enrolment: Enrolment) -> Rejected:
    """The one that was rejected, by a measure: both numbers are there and in the sentence."""
    (rejected,) = enrolment.rejected
    assert rejected.value is not None and rejected.limit is not None
    assert f"{rejected.limit:g}" in rejected.sentence
    return rejected


def larger(picture: Picture, scale: float = 1.1) -> Picture:
    """The same picture in other bytes."""
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale), np.uint8)


@pytest.mark.parametrize(
    "name", ["lin-manuel-miranda.png", "alex-lacamoire.png", "obama.jpg", "biden.jpg"]
)
def test_the_photos_of_the_clips_are_accepted(
    gallery: Gallery, detector: Detector, encoder: Encoder, test_data: Path, name: str
) -> None:
    limits = {
        name: Settings.model_fields[f"photo_{name}"].default
        for name in ("min_face", "min_sharpness", "max_yaw")
    }
    path = test_data / "videos" / name
    enrolment = Enroller(gallery, detector, encoder, **limits).enrol(path.stem, [path])
    assert enrolment.person is not None
    assert (enrolment.person.name, enrolment.accepted) == (path.stem, (str(path),))
    assert (enrolment.rejected, enrolment.warnings) == ((), ())


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
    assert (only(enrolment).value, only(enrolment).limit) == (3, 1)


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
    assert 30 < (only(enrolment).value or 0) < 40
    assert only(enrolment).limit == 40


def test_a_blurred_face_is_refused(
    gallery: Gallery, detector: Detector, encoder: Encoder, write: Write, hopper: Picture
) -> None:
    enroller = Enroller(gallery, detector, encoder, min_face=40, min_sharpness=30)
    blurred = np.asarray(cv2.GaussianBlur(hopper, (0, 0), 9), np.uint8)
    enrolment = enroller.enrol("Grace", [write("blurred.png", blurred), write("g.png", hopper)])
    assert reasons(enrolment) == ["blurred"]
    assert 0 < (only(enrolment).value or 0) < 30
    assert only(enrolment).limit == 30


def test_a_face_that_is_turned_away_is_refused(
    gallery: Gallery, detector: Detector, encoder: Encoder, write: Write, hopper: Picture
) -> None:
    enroller = Enroller(gallery, detector, encoder, min_face=40, max_yaw=0.001)
    enrolment = enroller.enrol("Grace", [write("grace.png", hopper)])
    assert reasons(enrolment) == ["turned_away"]
    assert 0.001 < (only(enrolment).value or 0) < 0.1
    assert only(enrolment).limit == 0.001


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
    assert first.accepted == (str(path),)
    assert reasons(first) == ["duplicate_photo", "duplicate_photo"]
    assert [rejected.own for rejected in first.rejected] == [False, False]
    assert f"{copy} is the same photo as {path}" in first.rejected[0].sentence
    assert [rejected.own for rejected in (*again.rejected, *other.rejected)] == [True, False]
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
    assert enrolment.accepted == (str(good), str(mirrored))
    assert [rejected.photo for rejected in enrolment.rejected] == [str(text), str(empty)]
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


def test_a_name_of_ten_megabytes_is_refused_in_a_short_sentence(enroller: Enroller) -> None:
    with pytest.raises(GalleryError, match="printable") as refused:
        enroller.enrol("A" * 10_000_000, [])
    assert len(str(refused.value)) < 200


def test_a_photo_held_in_any_way_has_the_same_encoding(
    enroller: Enroller, gallery: Gallery, hopper: Picture, tmp_path: Path
) -> None:
    # Given one picture in the eight ways EXIF knows, its pixels laid down as each says
    rows = {
        1: hopper, 2: hopper[:, ::-1], 3: hopper[::-1, ::-1], 4: hopper[::-1],
        5: hopper.swapaxes(0, 1), 6: np.rot90(hopper), 7: hopper.swapaxes(0, 1)[::-1, ::-1],
        8: np.rot90(hopper, -1),
    }  # fmt: skip
    for orientation, pixels in rows.items():
        exif = Image.Exif()
        exif[0x112] = orientation
        path = tmp_path / f"{orientation}.png"
        Image.fromarray(np.ascontiguousarray(pixels)).save(path, exif=exif)

    # If all are enrolled, I expect each to be the upright one
    enrolment = enroller.enrol("Grace", sorted(tmp_path.iterdir()))
    assert len(enrolment.accepted) == 8
    assert enrolment.person is not None
    encodings = np.stack([photo.numbers for photo in gallery.photos(enrolment.person.id)])
    assert np.abs(encodings - encodings[0]).max() < 1e-5


def test_a_wrong_persons_photo_among_anothers_is_refused(
    enroller: Enroller, write: Write, hopper: Picture, astronaut: Picture
) -> None:
    photos = [
        write("grace.png", hopper),
        write("eileen.png", astronaut),
        write("mirrored.png", hopper[:, ::-1]),
    ]
    enrolment = enroller.enrol("Grace", photos)
    assert reasons(enrolment) == ["inconsistent_with_other_photos"]
    assert only(enrolment).photo == str(photos[1])
    assert (only(enrolment).value or 0) > (only(enrolment).limit or 2)

    # and against those enrolled before, however many agree with each other
    wrong = [write("1.png", larger(astronaut)), write("2.png", larger(astronaut, 1.2))]
    later = enroller.enrol("Grace", wrong)
    assert reasons(later) == ["inconsistent_with_other_photos"] * 2
    assert (later.person, later.accepted) == (None, ())


def test_of_two_photos_that_do_not_agree_the_first_counts(
    enroller: Enroller, write: Write, hopper: Picture, astronaut: Picture
) -> None:
    photos = [write("eileen.png", astronaut), write("grace.png", hopper)]
    enrolment = enroller.enrol("Eileen", photos)
    assert enrolment.accepted == (str(photos[0]),)
    assert reasons(enrolment) == ["inconsistent_with_other_photos"]


def test_a_photo_of_somebody_else_enrolled_is_refused_or_trusted(
    enroller: Enroller,
    gallery: Gallery,
    detector: Detector,
    encoder: Encoder,
    write: Write,
    hopper: Picture,
    astronaut: Picture,
) -> None:
    # Given Eileen, and another photo of hers among Grace's
    enroller.enrol("Eileen", [write("eileen.png", astronaut)])
    photos = [write("again.png", larger(astronaut)), write("grace.png", hopper)]

    # If it is given for Grace, I expect it to be hers, whichever comes first
    enrolment = enroller.enrol("Grace", photos)
    assert reasons(enrolment) == ["looks_like_other_person"]
    assert "from Eileen" in only(enrolment).sentence
    assert (only(enrolment).value or 2) <= (only(enrolment).limit or 0) == encoder.threshold
    assert (enrolment.accepted, enrolment.warnings) == ((str(photos[1]),), ())

    # unless whoever enrols knows better
    trusting = Enroller(gallery, detector, encoder, min_face=40, trust=True)
    assert trusting.enrol("Grace", photos[:1]).accepted == (str(photos[0]),)
    assert reasons(trusting.enrol("Grace", [write("b.png", np.zeros((9, 9, 3), np.uint8))])) == [
        "no_face"
    ]


def test_a_new_person_who_looks_like_another_is_enrolled_with_a_warning(
    gallery: Gallery,
    detector: Detector,
    encoder: Encoder,
    write: Write,
    astronaut: Picture,
    hopper: Picture,
) -> None:
    enroller = Enroller(gallery, detector, encoder, min_face=40, trust=True)
    first, other, again = enroller.enrol_all(
        [
            Work("Eileen", [write("eileen.png", astronaut)]),
            Work("Grace", [write("grace.png", hopper)]),
            Work("E. Collins", [write("a.png", larger(astronaut))]),
        ]
    )
    assert (first.warnings, other.warnings) == ((), ())
    assert (again.name, len(again.accepted)) == ("E. Collins", 1)
    (warning,) = again.warnings
    assert (warning.name, warning.threshold) == ("Eileen", encoder.threshold)
    assert 0 <= warning.distance <= encoder.threshold

    # but nobody who was there before is warned of
    known = enroller.enrol("Eileen", [write("b.png", larger(astronaut, 1.2))])
    assert (len(known.accepted), known.warnings) == (1, ())


def test_many_people_share_batches_and_come_in_their_order(
    gallery: Gallery, detector: Detector, encoder: Encoder, write: Write, hopper: Picture
) -> None:
    # Given fifty people, some without a photo, some with one that is none
    bad = write("black.png", np.zeros((64, 64, 3), np.uint8))
    people = [
        Work(f"P{number}", [write(f"{number}.png", larger(hopper[:450], 0.3 + number / 1000))])
        if number % 10
        else Work(f"P{number}", [bad] * (number % 20))
        for number in range(50)
    ]
    counting = Counting(encoder)
    enroller = Enroller(gallery, detector, counting, min_face=40, trust=True)

    # If they are enrolled, I expect the encoder to have been filled
    enrolments = list(enroller.enrol_all(people))
    assert [one.name for one in enrolments] == [work.name for work in people]
    assert [len(one.accepted) for one in enrolments] == [min(1, n % 10) for n in range(50)]
    assert counting.batches == [32, 13]
    assert gallery.people() == sorted(
        (one.person for one in enrolments if one.person), key=lambda person: person.name
    )


def test_a_second_run_looks_at_nothing_that_is_enrolled(
    enroller: Enroller, gallery: Gallery, encoder: Encoder, write: Write, hopper: Picture
) -> None:
    path = write("grace.png", hopper)
    enroller.enrol("Grace", [path])
    again = Enroller(gallery, NeverLooks(), encoder, min_face=40).enrol("grace", [path])
    assert (again.accepted, again.person) == ((), None)
    assert [rejected.own for rejected in again.rejected] == [True]


def test_whoever_stops_in_the_middle_leaves_whole_people_only(
    gallery: Gallery,
    detector: Detector,
    encoder: Encoder,
    write: Write,
    hopper: Picture,
    astronaut: Picture,
) -> None:
    enroller = Enroller(gallery, detector, encoder, min_face=40)
    before = threading.active_count()
    people = enroller.enrol_all(
        [
            Work("Grace", [write("1.png", hopper), write("2.png", larger(hopper))]),
            Work("Eileen", [write("3.png", astronaut)]),
        ]
    )
    assert next(people).name == "Grace"
    people.close()
    assert threading.active_count() == before
    (grace,) = gallery.people()
    assert (grace.name, len(gallery.photos(grace.id))) == ("Grace", 2)


def test_one_photo_for_two_people_of_a_run_goes_to_the_first(
    enroller: Enroller, gallery: Gallery, write: Write, hopper: Picture
) -> None:
    path = write("grace.png", hopper)
    first, second = enroller.enrol_all([Work("Grace", [path]), Work("Ada", [path])])
    assert (len(first.accepted), second.accepted) == (1, ())
    assert reasons(second) == ["duplicate_photo"]
    assert "for Grace" in second.rejected[0].sentence
    assert [person.name for person in gallery.people()] == ["Grace"]


def test_two_who_enrol_one_person_at_once_make_one_person(
    gallery: Gallery, detector: Detector, encoder: Encoder, write: Write, hopper: Picture
) -> None:
    # Given a photo each, and one that both have
    own = [write("0.png", larger(hopper)), write("1.png", larger(hopper, 1.2))]
    shared = write("shared.png", hopper)
    both_have_looked = threading.Barrier(2, timeout=30)

    class Meeting(Counting):
        def encode(self, chips: Chips) -> Encodings:
            both_have_looked.wait()
            return np.stack([encoding]).repeat(len(chips), axis=0)

    encoding = encoder.encode(np.zeros((1, 112, 112, 3), np.uint8))[0]
    found: list[Enrolment] = []

    def enrol(path: Path) -> None:
        one = Enroller(gallery, SharedDetector(detector), Meeting(encoder), min_face=40)
        found.append(one.enrol("Grace", [path, shared]))

    # If both enrol her at the same moment
    threads = [threading.Thread(target=enrol, args=(path,)) for path in own]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    # I expect one Grace with all three photos, and both to hear that theirs are hers
    (grace,) = gallery.people()
    assert sorted(photo.source for photo in gallery.photos(grace.id)) == [
        "0.png",
        "1.png",
        "shared.png",
    ]
    assert [len(one.accepted) for one in found] == [2, 2]


def test_somebody_removed_while_they_are_enrolled_does_not_end_the_run(
    client: redis.Redis,
    keys: Keys,
    detector: Detector,
    encoder: Encoder,
    write: Write,
    hopper: Picture,
    astronaut: Picture,
) -> None:
    # Given somebody who removes Grace as soon as she is there
    class Raced(Gallery):
        def person(self, person_id: str) -> EnrolledPerson:
            if super().person(person_id).name == "Grace":
                Gallery(client, keys).remove("Grace")
            return super().person(person_id)

    gallery = Raced(client, keys)
    text = write("black.png", np.zeros((64, 64, 3), np.uint8))
    people = [
        Work("Grace", [write("grace.png", hopper), text]),
        Work("Eileen", [write("eileen.png", astronaut)]),
    ]

    # If both are enrolled, I expect the other to be there, and it to be said of her
    grace, eileen = Enroller(gallery, detector, encoder, min_face=40).enrol_all(people)
    assert (grace.person, grace.accepted, grace.removed) == (None, (), True)
    assert reasons(grace) == ["no_face"]
    assert (len(eileen.accepted), eileen.removed) == (1, False)
    assert [person.name for person in gallery.people()] == ["Eileen"]


class SharedDetector:
    """A detector for one thread at a time."""

    lock = threading.Lock()

    def __init__(self, detector: Detector) -> None:
        self.detector = detector

    def detect(self, picture: Picture) -> list[Face]:
        with self.lock:
            return self.detector.detect(picture)


def test_a_chip_of_a_sighting_is_enrolled_as_it_is(
    gallery: Gallery, detector: Detector, encoder: Encoder, hopper: Picture
) -> None:
    # Given chips as a camera sent them
    chip = jpeg(portrait("grace", hopper, detector, min_face=40).chip)
    enroller = Enroller(gallery, NeverLooks(), encoder, min_face=40, max_yaw=0.9)
    small = Quality(height=20, sharpness=300, yaw=0, score=1)
    turned = Quality(height=90, sharpness=300, yaw=0.95, score=1)
    sightings = [
        AlignedChip("lobby/1/7/unknown", chip, GOOD),
        AlignedChip("lobby/1/8/unknown", chip + b"8", small),
        AlignedChip("lobby/1/9/unknown", chip + b"9", turned),
        AlignedChip("lobby/1/10/unknown", jpeg(hopper), GOOD),
        AlignedChip("lobby/1/11/unknown", b"", GOOD),
    ]

    # If they are enrolled, I expect what was measured then to decide
    enrolment = enroller.enrol("Grace", sightings)
    assert reasons(enrolment) == ["too_small", "turned_away", "not_an_image", "not_an_image"]
    assert enrolment.person is not None
    (photo,) = gallery.photos(enrolment.person.id)
    assert (photo.source, photo.digest) == ("lobby/1/7/unknown", hashlib.sha256(chip).hexdigest())


def test_a_copy_of_a_photo_that_is_refused_makes_no_group_with_it(
    enroller: Enroller, write: Write, hopper: Picture, astronaut: Picture
) -> None:
    eileen = write("eileen.png", astronaut)
    enrolment = enroller.enrol("Grace", [write("grace.png", hopper), eileen, eileen])
    assert reasons(enrolment) == ["inconsistent_with_other_photos", "duplicate_photo"]
    assert [rejected.own for rejected in enrolment.rejected] == [False, False]


def test_a_photo_that_would_be_a_gigapixel_is_refused_by_its_header(
    enroller: Enroller, tmp_path: Path, hopper: Picture
) -> None:
    made = BytesIO()
    Image.fromarray(hopper).save(made, "PNG")
    data = bytearray(made.getvalue())
    data[16:24] = (30_000).to_bytes(4) * 2
    path = tmp_path / "huge.png"
    path.write_bytes(data)
    enrolment = enroller.enrol("Grace", [path])
    assert reasons(enrolment) == ["not_an_image"]
    rejected = enrolment.rejected[0]
    assert (rejected.value, rejected.limit) == (900e6, 100e6)
    assert "30000x30000" in rejected.sentence
