"""`facetrail unknowns`: strangers are listed, shown, and get a name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import redis
from PIL import Image

from facetrail import sightings
from facetrail.cli import unknowns
from facetrail.cli.contact_sheet import GAP, HEAD, SIDE, Row, contact_sheet
from facetrail.cli.draw import GROUND
from facetrail.cli.unknowns_name import MOST_PHOTOS, named_stranger
from facetrail.errors import BadSettings, EncoderMismatch, GalleryError, NoSuchPerson
from facetrail.events import Person
from facetrail.settings import Settings
from facetrail.sightings import every, hand_over, of
from facetrail.store import Keys
from facetrail.trail import events_of
from index.gallery import Gallery
from index.photo import Photo
from tests.cli.conftest import Run
from tests.cli.seen import Street, unit
from tests.workers.conftest import jpeg

Capture = pytest.CaptureFixture[str]
ENCODER = "any@00000000"


@pytest.fixture
def street(client: redis.Redis, keys: Keys) -> Street:
    return Street(client, keys, ENCODER)


@pytest.fixture
def settings(redis_url: str, cache_dir: Path) -> Settings:
    return Settings(redis_url=redis_url, cache_dir=cache_dir)


def listed(capsys: Capture) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def show(settings: Settings, since: str | None = None, save_to: Path | None = None) -> None:
    unknowns.show_all(settings, since=since, save_to=save_to, as_json=True)


def enrol(gallery: Gallery, name: str, number: int, *, encoder: str = ENCODER) -> str:
    photo = Photo(digest=f"{number:064}", source="s", encoding=unit(number).tobytes(), chip=b"")
    return gallery.enrol(name, [photo], encoder=encoder).id


def test_strangers_are_listed_with_where_and_when(
    street: Street, settings: Settings, capsys: Capture
) -> None:
    first = street.passes("yard", unit(0), ago_s=7300)
    street.passes("lobby", unit(0), ago_s=60)
    other = street.passes("lobby", unit(1), ago_s=3600)
    street.passes("lobby", unit(2), person=Person(id="a0", name="Ada"))

    show(settings)
    last, one = listed(capsys)
    assert (last["id"], one["id"]) == (other.unknown, first.unknown)
    assert (one["sightings"], one["cameras"]) == (2, ["lobby", "yard"])
    assert str(one["first_at"]) < str(last["first_at"]) < str(one["last_at"])
    assert one["snapshots"] == [f"lobby/{first.stream_epoch}/2/unknown", first.snapshot]

    # If only the last while is asked for, I expect what was seen in it
    show(settings, since="30m")
    assert [(row["id"], row["sightings"]) for row in listed(capsys)] == [(first.unknown, 1)]


def test_the_command_prints_a_table_and_draws_a_sheet(
    facetrail: Run, street: Street, tmp_path: Path
) -> None:
    event = street.passes("lobby", unit(0), jpeg=jpeg())
    target = tmp_path / "them.png"
    done = facetrail("unknowns", "list", "--since", "1h", "--save", target)
    assert (done.returncode, done.stderr) == (0, "")
    assert str(event.unknown) in done.stdout and "lobby" in done.stdout
    with Image.open(target) as sheet:
        pixels = np.asarray(sheet)[46:200, 20:160]
    assert pixels.std() > 20  # noise, not the ground


def test_nobody_is_an_empty_list(
    settings: Settings, client: redis.Redis, capsys: Capture, tmp_path: Path
) -> None:
    show(settings, save_to=tmp_path / "sheet.png")
    assert listed(capsys) == []
    assert (tmp_path / "sheet.png").exists()


def tile(sheet: Image.Image, row: int, place: int) -> np.ndarray:  # type: ignore[type-arg]
    """The pixels of a picture's place, uint8 `(SIDE, SIDE, 3)`."""
    left, top = GAP + place * (SIDE + GAP), GAP + row * (HEAD + SIDE + GAP) + HEAD
    return np.asarray(sheet)[top : top + SIDE, left : left + SIDE]


def test_a_picture_that_is_cut_leaves_its_place_empty_and_the_others_in_theirs() -> None:
    whole = jpeg()
    cut = [whole[:300], whole[: len(whole) // 2], b"", b"no picture"]
    sheet = contact_sheet([Row("unknown-7f3a", "seen", [*cut, whole]), Row("b", "", [whole])])
    for place in range(len(cut)):
        assert (tile(sheet, 0, place) == GROUND).all(), place
    assert tile(sheet, 0, len(cut)).std() > 20
    assert tile(sheet, 1, 0).std() > 20


def test_a_picture_that_is_gone_is_left_out(
    street: Street, settings: Settings, client: redis.Redis, keys: Keys, tmp_path: Path
) -> None:
    # Given a stranger seen twice, of whom one picture is kept no more
    gone = street.passes("lobby", unit(0), jpeg=jpeg())
    street.passes("yard", unit(0), jpeg=jpeg())
    assert client.delete(keys.snapshot(str(gone.snapshot))) == 1

    show(settings, save_to=tmp_path / "them.png")

    with Image.open(tmp_path / "them.png") as sheet:
        assert tile(sheet, 0, 0).std() > 20
        assert (tile(sheet, 0, 1) == GROUND).all()


@pytest.mark.parametrize(
    ("since", "save_to"), [("soon", None), (None, Path("/nowhere/a.png")), (None, Path("a.txt"))]
)
def test_what_cant_be_done_is_said_before_anything_is_read(
    since: str | None, save_to: Path | None
) -> None:
    nowhere = Settings(redis_url="unix:///nowhere")
    with pytest.raises(BadSettings):
        show(nowhere, since=since, save_to=save_to)


def test_a_stranger_who_gets_a_name_is_enrolled_and_their_past_is_the_person_s(
    street: Street, gallery: Gallery, facetrail: Run
) -> None:
    # Given a stranger seen seven times, and another one
    client, keys = gallery.client, gallery.keys
    enters = [street.passes("lobby", unit(0), jpeg=b"chip %d" % i) for i in range(7)]
    other = street.passes("yard", unit(1))
    stranger = str(enters[0].unknown)

    done = facetrail("unknowns", "name", stranger, "Ada Lovelace", "--json")

    # I expect her to be enrolled from the best pictures
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    person = gallery.named("ada lovelace")
    assert said == {
        "unknown": stranger,
        "id": person.id,
        "name": "Ada Lovelace",
        "photos": MOST_PHOTOS,
        "sightings": 7,
    }
    photos = gallery.photos(person.id)
    assert {photo.encoding for photo in photos} == {unit(0).tobytes()}
    assert all(photo.chip.startswith(b"chip ") for photo in photos)
    tracks = {f"{event.camera}/{event.stream_epoch}/{event.track}" for event in enters}
    assert {photo.source for photo in photos} <= tracks
    assert gallery.encoder == ENCODER

    # and all that was seen to be hers, and the other to stay
    assert len(of(client, keys, person.id)) == 7
    assert {kept.sighting.stranger for kept in every(client, keys)} == {None, other.unknown}
    assert len(list(events_of(client, keys, person.id))) == 14
    assert list(events_of(client, keys, stranger)) == []

    # and the id to be nobody's
    done = facetrail("unknowns", "name", stranger, "Ada")
    assert done.returncode == 1 and f"there is no stranger '{stranger}'" in done.stderr


def test_a_name_that_is_enrolled_gets_the_photos_too(street: Street, gallery: Gallery) -> None:
    ada = enrol(gallery, "Ada", 5)
    street.passes("lobby", unit(5), person=Person(id=ada, name="Ada"))
    event = street.passes("lobby", unit(0))
    named = named_stranger(gallery, str(event.unknown), "ADA")
    assert (named.id, named.photos, named.sightings) == (ada, 1, 1)
    assert len(gallery.photos(ada)) == 2
    assert len(of(gallery.client, gallery.keys, ada)) == 2
    assert len(list(events_of(gallery.client, gallery.keys, ada))) == 4


def test_a_naming_that_was_cut_short_is_finished_by_another(
    street: Street, gallery: Gallery
) -> None:
    # Given a command that died between the gallery's change and the sightings'
    event = street.passes("lobby", unit(0), jpeg=b"a chip")
    digest = hashlib.sha256(b"a chip").hexdigest()
    photo = Photo(digest=digest, source="s", encoding=unit(0).tobytes(), chip=b"a chip")
    ada = gallery.enrol("Ada", [photo], encoder=ENCODER)
    street.passes("lobby", unit(0), jpeg=b"another chip")

    named = named_stranger(gallery, str(event.unknown), "ada")
    assert (named.id, named.photos, named.sightings) == (ada.id, 1, 2)
    assert {photo.chip for photo in gallery.photos(ada.id)} == {b"a chip", b"another chip"}


def test_a_picture_that_is_somebody_else_s_is_refused_and_nothing_changes(
    street: Street, gallery: Gallery
) -> None:
    event = street.passes("lobby", unit(0))
    named_stranger(gallery, str(event.unknown), "Ada")
    again = street.passes("lobby", unit(0))
    with pytest.raises(GalleryError, match="already enrolled for Ada"):
        named_stranger(gallery, str(again.unknown), "Ben")
    with pytest.raises(NoSuchPerson):
        gallery.named("Ben")
    assert len(of(gallery.client, gallery.keys, str(again.unknown))) == 1


def test_another_encoder_than_the_gallery_s_is_refused(street: Street, gallery: Gallery) -> None:
    enrol(gallery, "Ada", 5, encoder="other@00000000")
    event = street.passes("lobby", unit(0))
    with pytest.raises(EncoderMismatch, match="was seen by encoder any@.*belongs to other@"):
        named_stranger(gallery, str(event.unknown), "Ben")


def test_without_pictures_a_stranger_can_not_be_enrolled(street: Street, gallery: Gallery) -> None:
    event = street.passes("lobby", unit(0))
    gallery.client.delete(gallery.keys.snapshot(str(event.snapshot)))
    with pytest.raises(GalleryError, match="no picture of unknown-.* is kept: enrol them from"):
        named_stranger(gallery, str(event.unknown), "Ada")


@pytest.mark.parametrize("stranger", ["unknown-0000", "Ada", "unknown-", "a0", "*" * 500, ""])
def test_who_is_no_stranger_is_refused(stranger: str, street: Street, gallery: Gallery) -> None:
    street.passes("lobby", unit(0), person=Person(id="a0", name="Ada"))
    with pytest.raises(NoSuchPerson, match="there is no stranger") as caught:
        named_stranger(gallery, stranger, "Ben")
    assert len(str(caught.value)) < 200


def test_a_bad_name_is_refused_before_anything_is_changed(street: Street, gallery: Gallery) -> None:
    event = street.passes("lobby", unit(0))
    with pytest.raises(GalleryError, match="printable"):
        named_stranger(gallery, str(event.unknown), "a\nb")
    assert gallery.people() == []


def test_one_person_s_sightings_can_be_handed_to_another(
    street: Street, client: redis.Redis, keys: Keys
) -> None:
    ben = Person(id="b0", name="Ben")
    for number, person in enumerate((Person(id="a0", name="Ada"), ben)):
        street.passes("lobby", unit(number), person=person)
    assert hand_over(client, keys, "a0", ben) == 1
    assert {kept.sighting.person for kept in of(client, keys, "b0")} == {"b0"}
    assert of(client, keys, "a0") == [] and not client.exists(keys.seen("a0"))
    assert len(list(events_of(client, keys, "b0"))) == 4
    assert not client.exists(keys.named_stranger("a0"), keys.strangers_log)


def test_an_id_is_known_by_its_form() -> None:
    assert sightings.is_stranger("unknown-7f3a") and sightings.is_stranger("unknown-7f3a2b1c")
    assert not any(
        map(sightings.is_stranger, ("unknown-7F3A", "unknown-", "x-7f3a", "unknown-7f3"))
    )
