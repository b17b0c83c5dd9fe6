"""`facetrail trail`: visits, from what was said of somebody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import redis

from facetrail.cli import trail
from facetrail.cli.unknowns_name import named_stranger
from facetrail.errors import BadSettings, NoSuchPerson
from facetrail.events import Person
from facetrail.settings import Settings
from facetrail.store import Keys
from facetrail.trail import events_of, visits
from index.gallery import Gallery
from index.photo import Photo
from index.unfinished import Unfinished
from tests.cli.conftest import Run
from tests.cli.seen import CHIPS, Street, unit

Capture = pytest.CaptureFixture[str]
ENCODER = "any@00000000"


@pytest.fixture
def street(client: redis.Redis, keys: Keys) -> Street:
    return Street(client, keys, ENCODER)


@pytest.fixture
def settings(redis_url: str, cache_dir: Path) -> Settings:
    return Settings(redis_url=redis_url, cache_dir=cache_dir)


@pytest.fixture
def ada(gallery: Gallery) -> Person:
    photo = Photo(digest="d", source="s", encoding=unit(0).tobytes(), chip=b"")
    enrolled = gallery.enrol("Ada", [photo], encoder=ENCODER)
    return Person(id=enrolled.id, name="Ada")


def way(settings: Settings, capsys: Capture, who: str, since: str | None = None) -> list[dict]:  # type: ignore[type-arg]
    trail.run(settings, who, since=since, as_json=True)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_person_s_visits_come_in_order_with_enter_exit_and_between(
    street: Street, settings: Settings, ada: Person, capsys: Capture
) -> None:
    street.passes("yard", unit(0), person=ada, ago_s=600)
    street.passes("lobby", unit(0), person=ada, ago_s=7300)
    street.passes("lobby", unit(1), ago_s=300)
    street.passes("stairs", unit(0), person=ada, ago_s=20, leaves=False)

    one, two, three = way(settings, capsys, "ada")
    assert [visit["camera"] for visit in (one, two, three)] == ["lobby", "yard", "stairs"]
    assert one["seconds"] == CHIPS + 4  # from the best chip, the first, to the end
    assert one["entered_at"] < one["left_at"] < two["entered_at"]
    assert (three["left_at"], three["seconds"], three["unknown"]) == (None, None, None)
    assert way(settings, capsys, "ada", since="1h") == [two, three]


def test_a_stranger_s_way_is_found_by_id_and_after_a_name_by_that(
    street: Street, settings: Settings, gallery: Gallery, capsys: Capture
) -> None:
    enter = street.passes("yard", unit(1), ago_s=600)
    street.passes("lobby", unit(1), ago_s=60)
    stranger = str(enter.unknown)
    before = way(settings, capsys, stranger)
    assert [(visit["camera"], visit["unknown"]) for visit in before] == [
        ("yard", stranger),
        ("lobby", stranger),
    ]
    named_stranger(gallery, stranger, "Ben")
    assert way(settings, capsys, "Ben") == before == way(settings, capsys, stranger)


def test_a_better_shot_and_a_second_appearance_of_a_track_are_told_apart(
    street: Street, ada: Person, client: redis.Redis, keys: Keys
) -> None:
    street.passes("lobby", unit(0), person=ada, leaves=False)
    for key in (keys.open_tracks, keys.closing_tracks):
        for track in client.zrange(key, 0, -1):
            client.zincrby(key, -100_000, track)
    street.votes.sweep()
    street.tracks -= 1  # the same track speaks again
    client.delete(keys.counted(f"lobby/{1_800_000_000_000}/1"))
    street.passes("lobby", unit(0), person=ada)
    made = visits(events_of(client, keys, ada.id))
    assert len(made) == 2 and all(visit.entered_at and visit.left_at for visit in made)


def test_an_exit_whose_enter_the_stream_has_no_more_is_a_visit_still(
    street: Street, settings: Settings, ada: Person, capsys: Capture
) -> None:
    street.passes("lobby", unit(0), person=ada)
    street.client.xtrim(street.keys.events, maxlen=1, approximate=False)
    ((visit),) = way(settings, capsys, "Ada")
    assert visit["entered_at"] is None and visit["left_at"] is not None


def test_a_visit_whose_events_the_stream_has_no_more_is_told_by_its_sighting(
    street: Street, settings: Settings, ada: Person, capsys: Capture
) -> None:
    street.passes("yard", unit(0), person=ada, ago_s=60)
    street.passes("lobby", unit(0), person=ada, ago_s=20)
    street.client.xtrim(street.keys.events, maxlen=2, approximate=False)
    one, two = way(settings, capsys, "Ada")
    assert (one["camera"], two["camera"]) == ("yard", "lobby")
    assert one["left_at"] is not None and one["seconds"] == CHIPS + 4


def test_a_stranger_s_way_is_the_person_s_whom_theirs_was_merged_into(
    street: Street, settings: Settings, gallery: Gallery, ada: Person, capsys: Capture
) -> None:
    stranger = str(street.passes("yard", unit(1), ago_s=60).unknown)
    named_stranger(gallery, stranger, "Ben")
    gallery.merge("Ben", "Ada")
    Unfinished(gallery).finish()
    ((visit),) = way(settings, capsys, stranger)
    assert [visit] == way(settings, capsys, "Ada")


def test_the_command_prints_lines(facetrail: Run, street: Street, ada: Person) -> None:
    street.passes("lobby", unit(0), person=ada)
    street.passes("yard", unit(0), person=ada, leaves=False)
    done = facetrail("trail", "Ada", "--since", "24h")
    assert (done.returncode, done.stderr) == (0, "")
    one, two = done.stdout.splitlines()
    assert "lobby (door), left " in one and one.endswith(f"after {CHIPS + 4}.0 s")
    assert two.endswith("yard (door), has not left")


def test_who_was_not_seen_is_no_failure(facetrail: Run, ada: Person) -> None:
    done = facetrail("trail", "Ada", "--json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "Ada was not seen\n")


@pytest.mark.parametrize("who", ["Zed", "unknown-0000", "unknown-zz"])
def test_nobody_is_one_sentence(who: str, settings: Settings, client: redis.Redis) -> None:
    with pytest.raises(NoSuchPerson):
        trail.run(settings, who, since=None, as_json=True)


def test_a_time_that_is_none_is_refused(settings: Settings) -> None:
    with pytest.raises(BadSettings, match="--since 'soon' is no time"):
        trail.run(settings, "Ada", since="soon", as_json=True)
