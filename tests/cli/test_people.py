"""`facetrail people`: the gallery is looked at, changed and erased."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from facetrail.cli.sighted import sighting_said
from facetrail.errors import GalleryError
from facetrail.snapshots import Snapshot
from facetrail.store import Keys, connect
from facetrail.wire import Chips, Encoder
from index.enrolment import Enroller
from index.gallery import Gallery
from index.photo import Photo
from index.replica import Replica
from ingest.faces.face import Detector
from tests.cli.conftest import Run


@pytest.fixture
def photo(chips: Chips, encoder: Encoder) -> Callable[[int], Photo]:
    """`photo(i)`: of one of five chips: two people, the same mirrored, and noise."""
    encodings = encoder.encode(chips)

    def made(number: int) -> Photo:
        chip = cv2.imencode(".jpg", np.ascontiguousarray(chips[number][..., ::-1]))[1].tobytes()
        digest = hashlib.sha256(chip).hexdigest()
        encoding = encodings[number].tobytes()
        return Photo(digest=digest, source=f"{number}.jpg", encoding=encoding, chip=chip)

    return made


PhotoOf = Callable[[int], Photo]


@pytest.fixture
def ada(gallery: Gallery, photo: PhotoOf, encoder: Encoder) -> str:
    """Her id; she is enrolled by two photos, one of somebody else."""
    return gallery.enrol("Ada", [photo(0), photo(1)], encoder=encoder.id).id


@pytest.fixture
def following(redis_url: str, keys: Keys, encoder: Encoder, ada: str) -> Iterator[Replica]:
    """What a worker has, following in a thread."""
    own = connect(redis_url)
    replica = Replica(own, keys, worker="one", encoder=encoder.id)
    replica.load()
    stop = threading.Event()
    thread = threading.Thread(target=replica.follow, args=(stop,))
    thread.start()
    yield replica
    stop.set()
    thread.join()
    own.close()


def keep_sighting(gallery: Gallery, photo: Photo, encoder: str, *, person: str) -> str:
    """Ada was seen in the lobby: an event, its sighting and its picture. The event's id."""
    client, keys = gallery.client, gallery.keys
    name = f"lobby/1795600000000/12/{person}"
    sighting = {
        "person": person,
        "stranger": None,
        "name": name,
        "first_at": "2026-11-25T10:00:00.000000Z",
        "last_at": "2026-11-25T10:00:01.000000Z",
        "snapshot": name,
        "camera": "lobby",
        "stream_epoch": 1795600000000,
        "track": 12,
        "threshold": 0.36,
        "quality": {"height": 90, "sharpness": 120, "yaw": 0.1, "score": 0.5},
        "encoder": encoder,
    }
    event = {
        "id": "lobby/1795600000000/12/person_enter/1",
        "sequence": "",
        "type": "person_enter",
        "camera": "lobby",
        "stream_epoch": 1795600000000,
        "track": 12,
        "person": {"id": person, "name": "Ada", "external_id": None},
        "captured_at": "2026-11-25T10:00:00.000000Z",
        "published_at": "2026-11-25T10:00:00.000000Z",
        "snapshot": name,
    }
    sequence = client.xadd(keys.events, {"event": msgspec.json.encode(event)})
    client.zadd(keys.seen(person), {sequence: 1})
    client.hset(keys.sightings, name, msgspec.json.encode(sighting))
    client.hset(keys.sighting_encodings, name, photo.encoding)
    client.zadd(keys.sighting_ends, {name: 4e12})
    client.zadd(keys.sightings_of(person), {name: 1})
    client.set(keys.snapshot(name), msgspec.msgpack.encode(Snapshot(photo.chip, b"surroundings")))
    return str(event["id"])


def test_who_is_enrolled_is_listed_and_shown(
    facetrail: Run, gallery: Gallery, ada: str, photo: PhotoOf, encoder: Encoder
) -> None:
    gallery.enrol("Ben", [photo(4)], encoder=encoder.id)
    done = facetrail(
        "people",
        "set",
        "ada",
        "--tag",
        "staff",
        "--tag",
        "vip",
        "--notes",
        "two\nlines",
        "--active-until",
        "2099-12-31",
        "--ignore",
        "--external-id",
        "e-7",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "Ada changed\n", "")
    done = facetrail("people", "set", "Ada", "--untag", "vip", "--report", "--json")
    assert json.loads(done.stdout)["tags"] == ["staff"]

    gallery.describe("Ben", name="Ben [/x] [red]")
    listed = facetrail("people", "list")
    assert listed.returncode == 0 and "[/x]" in listed.stdout and "[red]" in listed.stdout

    rows = facetrail("people", "list", "--tag", "staff", "--json").stdout.splitlines()
    (row,) = (json.loads(row) for row in rows)
    assert (row["id"], row["photos"], row["external_id"], row["ignored"]) == (ada, 2, "e-7", False)
    assert row["active_until"].startswith("2099-12-3")

    shown = facetrail("people", "show", "ADA")
    assert shown.returncode == 0
    for words in ("Ada", "e-7", "two", "staff", "until 2099", photo(0).digest[:12], "1.jpg"):
        assert words in shown.stdout
    pictures = json.loads(facetrail("people", "show", "Ada", "--json").stdout)["pictures"]
    assert {one["source"] for one in pictures} == {"0.jpg", "1.jpg"}

    done = facetrail("people", "set", "Ada")
    assert done.returncode == 2
    assert "say what to change" in done.stderr


def test_people_are_renamed_split_and_merged(
    facetrail: Run, gallery: Gallery, ada: str, photo: PhotoOf, encoder: Encoder
) -> None:
    event = keep_sighting(gallery, photo(0), encoder.id, person=ada)
    assert facetrail("people", "rename", "Ada", "Ada Lovelace").returncode == 0
    start = photo(1).digest[:12]
    done = facetrail("people", "split", "Ada Lovelace", "Grace", start)
    assert (done.returncode, done.stdout) == (0, "Grace now has 1 photos of Ada Lovelace\n")
    assert [person.name for person in gallery.people()] == ["Ada Lovelace", "Grace"]

    done = facetrail("people", "split", "Ada Lovelace", "Eve", "zz")
    assert (done.returncode, done.stdout) == (1, "")
    assert "'zz' names 0 photos of Ada Lovelace, expected one" in done.stderr

    # merged again, what was seen of the first is the second's
    done = facetrail("people", "merge", "Ada Lovelace", "Grace")
    assert (done.returncode, done.stdout) == (0, "Grace now also has the photos of Ada Lovelace\n")
    grace = gallery.named("Grace")
    assert len(gallery.photos(grace.id)) == 2
    kept = sighting_said(gallery.client, gallery.keys, event)
    assert kept.sighting.person == grace.id


def test_how_far_workers_have_followed_is_shown(
    facetrail: Run, following: Replica, gallery: Gallery, ada: str, encoder: Encoder
) -> None:
    status = json.loads(facetrail("people", "status", "--json").stdout)
    assert not status["unwritten"]
    assert (status["people"], status["photos"], status["encoder"]) == (1, 2, encoder.id)
    (one,) = status["workers"]
    assert (one["worker"], one["position"], one["behind"]) == ("one", gallery.position(), 0)
    assert "no worker runs" not in facetrail("people", "status").stdout

    # and that a removal was killed before Redis's files were written anew
    gallery.remove("Ada")
    assert json.loads(facetrail("people", "status", "--json").stdout)["unwritten"]
    assert "Redis's files hold erased data still" in facetrail("people", "status").stdout


@pytest.mark.parametrize("how", [pytest.param("photo", marks=pytest.mark.slow), "event"])
def test_a_face_that_is_not_theirs_is_never_called_so_again(
    facetrail: Run,
    gallery: Gallery,
    photo: PhotoOf,
    encoder: Encoder,
    photos: Path,
    how: str,
) -> None:
    # Given Ada, who is mistaken for an astronaut, as she is enrolled by that face mirrored
    ada = gallery.enrol("Ada", [photo(2)], encoder=encoder.id).id
    path = photos / "eileen.png"
    before = json.loads(facetrail("identify", path, "--json").stdout)
    assert (before["verdict"], before["nearest"]["name"]) == ("named", "Ada")

    # If a photo of the astronaut, or an event with that face, is said not to be her
    said = path if how == "photo" else keep_sighting(gallery, photo(0), encoder.id, person=ada)
    done = facetrail("people", "not", "Ada", said)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Ada is not called so any more by faces nearer to this one\n"

    # I expect the face not to be called hers again, and the reason to be told
    after = json.loads(facetrail("identify", path, "--json").stdout)
    assert (after["verdict"], after["ruled_out"]) == ("unknown", True)
    assert ", but ruled out" in facetrail("identify", path).stdout


def test_a_photo_said_wrongly_is_one_sentence(
    facetrail: Run, ada: str, photos: Path, gallery: Gallery, tmp_path: Path
) -> None:
    for said, sentence in (
        (photos / "elieen.png", "elieen.png can't be read (No such file or directory)"),
        (tmp_path, f"{tmp_path} can't be read (Is a directory)"),
        ("x" * 5000, "is no event whose picture is kept"),
        ("x" * 300 + ".jpg", "can't be read (File name too long)"),
        (os.fsdecode(b"caf\xe9.jpg"), "caf\N{REPLACEMENT CHARACTER}.jpg can't be read"),
        (os.fsdecode(b"caf\xe9"), "is no event whose picture is kept"),
    ):
        done = facetrail("people", "not", "Ada", said)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
        assert done.stderr.startswith("facetrail: ") and sentence in done.stderr
    assert gallery.negatives(ada) == []

    # but one whose name is not UTF-8 is a photo like another
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    shutil.copy(photos / "eileen.png", path)
    assert facetrail("people", "not", "Ada", path).returncode == 0
    (negative,) = gallery.negatives(ada)
    assert negative.source == "caf\N{REPLACEMENT CHARACTER}.png"


def test_what_would_steer_a_terminal_is_not_shown(
    facetrail: Run, gallery: Gallery, photo: PhotoOf, encoder: Encoder
) -> None:
    odd = msgspec.structs.replace(photo(0), source="\x1b[2J0.jpg")
    gallery.enrol("Ada", [odd], encoder=encoder.id)
    gallery.describe("Ada", notes="\x1b[31mred\nsecond line " + "x" * 1500)
    done = facetrail("people", "show", "Ada")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert "  notes: \ufffd[31mred\n    second line " + "x" * 1500 + "\n" in done.stdout
    assert done.stdout.endswith("  \ufffd[2J0.jpg\n")


def test_somebody_is_enrolled_by_an_event(
    facetrail: Run, gallery: Gallery, photo: PhotoOf, encoder: Encoder
) -> None:
    event = keep_sighting(gallery, photo(1), encoder.id, person="0" * 12)
    done = facetrail("enroll", "Grace", "--event", event)
    assert (done.returncode, done.stdout) == (0, "Grace: 1 photo accepted\n"), done.stderr
    (found,) = gallery.photos(gallery.named("Grace").id)
    assert found.digest == photo(1).digest
    assert np.linalg.norm(found.numbers - photo(1).numbers) < 0.1

    done = facetrail("enroll", "Grace", "--event", "lobby/1/2/person_enter/1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "is no event whose picture is kept" in done.stderr


def test_what_is_no_event_is_refused(gallery: Gallery, ada: str) -> None:
    for said in ("lobby/1/2/person_enter/1", "1-1", "nothing", "x" * 500):
        with pytest.raises(GalleryError, match="is no event whose picture is kept"):
            sighting_said(gallery.client, gallery.keys, said)


def test_an_event_is_found_by_its_id_its_sequence_and_its_picture(
    gallery: Gallery, ada: str, photo: PhotoOf, encoder: Encoder
) -> None:
    event = keep_sighting(gallery, photo(0), encoder.id, person=ada)
    ((sequence, _),) = gallery.client.xrange(gallery.keys.events)
    for said in (event, sequence.decode(), f"lobby/1795600000000/12/{ada}"):
        assert sighting_said(gallery.client, gallery.keys, said).sighting.person == ada


def test_a_person_is_erased_and_it_is_proven(
    facetrail: Run,
    following: Replica,
    gallery: Gallery,
    ada: str,
    photo: PhotoOf,
    encoder: Encoder,
) -> None:
    keep_sighting(gallery, photo(0), encoder.id, person=ada)
    done = facetrail("people", "remove", "ada", "--verify")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "Ada is removed"
    assert lines[1] == "1 events and 1 sightings are erased with them"
    assert "1 workers have nothing of them in memory" in lines
    assert lines[-1] == "nothing of them is left"
    assert len(following.view.index) == 0
    assert gallery.client.xlen(gallery.keys.events) == 0


def test_several_are_erased_or_nobody(
    facetrail: Run, gallery: Gallery, ada: str, photo: PhotoOf, encoder: Encoder
) -> None:
    gallery.enrol("Ben", [photo(4)], encoder=encoder.id)
    assert facetrail("people", "remove", "Ada", "Cleo").returncode == 1
    assert len(gallery.people()) == 2
    done = facetrail("people", "remove", "Ada", "Ben", "--verify", "--json")
    told = json.loads(done.stdout)
    assert (told["names"], told["proven"], told["proof"]["found"]) == (["Ada", "Ben"], True, [])


def test_the_gallery_moves_to_another_encoder(
    facetrail: Run, gallery: Gallery, ada: str, own: Path, photo: PhotoOf, encoder: Encoder
) -> None:
    done = facetrail("people", "re-encode", "--encoder", own, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["before"], told["photos"]) == (encoder.id, 2)
    assert gallery.encoder == told["encoder"] != encoder.id
    found = gallery.photos(ada)
    assert {p.digest for p in found} == {photo(0).digest, photo(1).digest}
    assert all(p.encoding not in (photo(0).encoding, photo(1).encoding) for p in found)

    done = facetrail("people", "re-encode", "--encoder", own)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is of encoder" in done.stderr and "already" in done.stderr


def test_an_ended_erasure_leaves_enrolment_free(
    facetrail: Run, gallery: Gallery, ada: str, detector: Detector, encoder: Encoder, photos: Path
) -> None:
    assert facetrail("people", "remove", "Ada").returncode == 0
    enrolment = Enroller(gallery, detector, encoder, min_face=40).enrol(
        "Ada", [photos / "eileen.png"]
    )
    assert enrolment.person is not None and enrolment.person.id != ada
