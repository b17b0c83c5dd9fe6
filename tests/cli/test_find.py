"""`facetrail find`: the person in a photo, in all that was seen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import redis
from PIL import Image

from facetrail.cli import find
from facetrail.cli.contact_sheet import GAP, HEAD, SIDE
from facetrail.errors import BadPicture, BadSettings
from facetrail.events import Person
from facetrail.settings import Settings
from facetrail.store import Keys
from facetrail.wire import Chips, Encoder
from index.calibration import Calibration
from index.gallery import Gallery
from index.photo import Photo
from tests.cli.conftest import Run
from tests.cli.seen import Street, seen_face, unit

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def street(client: redis.Redis, keys: Keys, encoder: Encoder) -> Street:
    return Street(client, keys, encoder.id)


@pytest.fixture
def settings(redis_url: str, cache_dir: Path) -> Settings:
    return Settings(redis_url=redis_url, cache_dir=cache_dir, threads=1, encoder="dlib_resnet")


def found(capsys: Capture) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def look(
    settings: Settings, photo: Path, since: str | None = None, camera: str | None = None
) -> None:
    cameras = frozenset({camera}) if camera else None
    find.run(settings, photo, since=since, cameras=cameras, save_to=None, as_json=True)


def test_somebody_is_found_named_or_not_camera_by_camera_the_newest_last(
    street: Street,
    settings: Settings,
    encoder: Encoder,
    chips: Chips,
    photos: Path,
    capsys: Capture,
) -> None:
    # Given Eileen, who was known at one time and unknown at two, and others
    eileen, picture = seen_face(encoder, chips[0])
    grace, _ = seen_face(encoder, chips[1])
    person = Gallery(street.client, street.keys).enrol(
        "Eileen",
        [Photo(digest="d", source="s", encoding=eileen.tobytes(), chip=b"")],
        encoder=encoder.id,
    )
    known = Person(id=person.id, name=person.name)
    newest = street.passes("yard", eileen, jpeg=picture, ago_s=100)
    street.passes("yard", eileen, ago_s=9000)
    street.passes("lobby", eileen, person=known, ago_s=50)
    street.passes("lobby", grace, ago_s=40)

    look(settings, photos / "eileen.png")
    matches = found(capsys)
    assert [match["camera"] for match in matches] == ["lobby", "yard", "yard"]
    assert matches[0]["person"] == {"id": person.id, "name": "Eileen", "external_id": None}
    assert [match["unknown"] for match in matches] == [None, newest.unknown, newest.unknown]
    assert matches[2]["snapshot"] == newest.snapshot
    assert str(matches[1]["last_at"]) < str(matches[2]["first_at"])
    assert all(float(str(match["distance"])) < 0.1 for match in matches)

    # If a time or a camera is named, I expect no others
    look(settings, photos / "eileen.png", since="1h")
    assert len(found(capsys)) == 2
    look(settings, photos / "eileen.png", camera="yard")
    assert {match["camera"] for match in found(capsys)} == {"yard"}


def test_the_command_prints_lines(
    facetrail: Run, street: Street, encoder: Encoder, chips: Chips, photos: Path
) -> None:
    event = street.passes("lobby", seen_face(encoder, chips[0])[0])
    done = facetrail("find", photos / "eileen.png", "--since", "24h", "--camera", "lobby")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("lobby ") and str(event.unknown) in done.stdout
    assert done.stdout.rstrip().endswith(str(event.snapshot))


def test_their_pictures_are_saved_a_row_for_each_camera(
    facetrail: Run, street: Street, encoder: Encoder, chips: Chips, photos: Path, tmp_path: Path
) -> None:
    encoding, picture = seen_face(encoder, chips[0])
    for camera in ("lobby", "yard", "yard"):
        street.passes(camera, encoding, jpeg=picture)
    sheet = tmp_path / "sheet.png"
    done = facetrail("find", photos / "eileen.png", "--since", "30d", "--save", sheet)
    assert done.returncode == 0
    with Image.open(sheet) as image:
        tiles = [
            image.crop((GAP + x * (SIDE + GAP), y, GAP + x * (SIDE + GAP) + SIDE, y + SIDE))
            for y in (GAP + HEAD, 2 * (GAP + HEAD) + SIDE)
            for x in range(3)
        ]
        faces = [np.asarray(tile).std() > 30 for tile in tiles]
    assert faces == [True, False, False, True, True, False]
    # and that so long a time is not kept is said
    assert [line.split()[0] for line in done.stderr.splitlines()] == [
        "FACETRAIL_SNAPSHOT_TTL_S",
        "FACETRAIL_UNKNOWN_TTL_S",
    ]


def test_nowhere_is_said_and_no_failure(facetrail: Run, street: Street, photos: Path) -> None:
    street.passes("lobby", unit(0))
    done = facetrail("find", photos / "eileen.png", "--json")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "nobody like that was seen, in 1 sightings\n"


def test_the_threshold_in_force_decides(
    street: Street,
    settings: Settings,
    encoder: Encoder,
    chips: Chips,
    photos: Path,
    capsys: Capture,
) -> None:
    street.passes("lobby", seen_face(encoder, chips[2])[0])
    gallery = Gallery(street.client, street.keys)
    for threshold, count in ((1.9, 1), (0.001, 0)):
        rule = Calibration(threshold=threshold, margin=0.0, fpir=0.01, calibrated_at="")
        gallery.calibrate(encoder.id, rule)
        look(settings, photos / "eileen.png")
        assert len(found(capsys)) == count


def test_sightings_of_another_encoder_are_left_out_and_counted(
    client: redis.Redis, keys: Keys, settings: Settings, photos: Path, capsys: Capture
) -> None:
    Street(client, keys, "other@00000000").passes("lobby", unit(0))
    look(settings, photos / "eileen.png")
    said = capsys.readouterr()
    assert said.out == ""
    assert "not compared: 1 sightings by encoder other@00000000" in said.err


def test_somebody_who_was_removed_since_has_no_name(
    street: Street,
    settings: Settings,
    encoder: Encoder,
    chips: Chips,
    photos: Path,
    capsys: Capture,
) -> None:
    gone = Person(id="0" * 12, name="Zed")
    street.passes("lobby", seen_face(encoder, chips[0])[0], person=gone)
    look(settings, photos / "eileen.png")
    assert [match["person"] for match in found(capsys)] == [None]


@pytest.mark.parametrize("photo", ["nobody.jpg", "three.jpg", "text.jpg", "missing.jpg"])
def test_a_photo_of_nobody_or_of_several_is_refused(
    photo: str, settings: Settings, client: redis.Redis, photos: Path
) -> None:
    with pytest.raises(BadPicture):
        look(settings, photos / photo)


def test_a_time_that_is_none_is_refused(settings: Settings, photos: Path) -> None:
    with pytest.raises(BadSettings, match="--since 'soon' is no time"):
        look(settings, photos / "eileen.png", since="soon")
