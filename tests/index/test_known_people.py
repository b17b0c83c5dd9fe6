"""Whoever looks like somebody is found: of before, and of this run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from facetrail.wire import Chips, Encodings
from index.calibration import Calibration
from index.gallery import Gallery
from index.photo import Photo
from index.photos import known_people
from index.photos.known_people import KnownPeople

Unit = Callable[..., Encodings]
MakePhoto = Callable[[int], Photo]


class Some:
    """An encoder that is only asked who it is."""

    id, threshold, margin = "some@00000000", 0.5, 0.1

    def encode(self, chips: Chips) -> Encodings:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def soon_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_people, "APART", 8)


def test_nobody_is_like_anybody_in_an_empty_gallery(gallery: Gallery, unit: Unit) -> None:
    assert KnownPeople(gallery, Some()).similar(unit(2), but=None) == [None, None]


def test_the_nearest_is_found_among_all_whenever_they_came(
    gallery: Gallery, photo: MakePhoto, unit: Unit
) -> None:
    # Given people from before, and some enrolled since, of whom most have joined the index
    people = [gallery.enrol(f"P{n}", [photo(n)], encoder=Some.id) for n in range(5)]
    known = KnownPeople(gallery, Some())
    for number in range(5, 30):
        people.append(gallery.enrol(f"P{number}", [photo(number)], encoder=Some.id))
        known.add(people[-1], photo(number).numbers[None])

    # If each one's encoding is looked up, I expect them, unless they are left out
    probes = np.stack([photo(number).numbers for number in range(30)])
    found = known.similar(probes, but=None)
    assert [one and (one.person, one.name) for one in found] == [(p.id, p.name) for p in people]
    assert max(one.distance for one in found if one) < 1e-3
    for number in (2, 28):
        assert known.similar(probes[[number]], but=people[number].id) == [None]


def test_the_rows_of_before_are_kept_when_more_come(
    gallery: Gallery, photo: MakePhoto, unit: Unit
) -> None:
    ada = gallery.enrol("Ada", [photo(1)], encoder=Some.id)
    known = KnownPeople(gallery, Some())
    for number in range(2, 20):
        rows = np.stack([photo(n).numbers for n in range(1, number + 1)])
        known.add(ada, rows)
    probes = np.stack([photo(n).numbers for n in (1, 19)])
    assert [one and one.name for one in known.similar(probes, but=None)] == ["Ada", "Ada"]


def test_only_those_within_the_threshold_count(
    gallery: Gallery, photo: MakePhoto, unit: Unit
) -> None:
    gallery.enrol("Ada", [photo(1)], encoder=Some.id)
    near = photo(1).numbers + 0.04 * unit(1, 9)[0] * np.sqrt(128)
    probe = np.asarray(near / np.linalg.norm(near), np.float32)[None]
    (found,) = KnownPeople(gallery, Some()).similar(probe, but=None)
    assert found is not None and 0.3 < found.distance < 0.5 == found.threshold

    # whoever has calibrated has set it
    stamp = "2026-01-01T00:00:00+00:00"
    calibration = Calibration(threshold=0.2, margin=0.1, fpir=0.01, calibrated_at=stamp)
    gallery.calibrate(Some.id, calibration)
    known = KnownPeople(gallery, Some())
    assert (known.threshold, known.similar(probe, but=None)) == (0.2, [None])


def test_whoever_was_removed_is_named_no_more(
    gallery: Gallery, photo: MakePhoto, unit: Unit
) -> None:
    gallery.enrol("Ada", [photo(1)], encoder=Some.id)
    known = KnownPeople(gallery, Some())
    gallery.remove("Ada")
    assert known.similar(photo(1).numbers[None], but=None) == [None]


def test_a_gallery_of_another_encoder_has_nobody_to_compare_with(
    gallery: Gallery, photo: MakePhoto
) -> None:
    gallery.enrol("Ada", [photo(1)], encoder="other@00000000")
    assert KnownPeople(gallery, Some()).similar(photo(1).numbers[None], but=None) == [None]
