"""Folders become labelled chips; what is no use is skipped and counted."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facetrail.errors import BadSettings, TrainingStopped
from ingest.faces.face import Detector, Picture
from training.prepare import gathered, prepared


def photo(path: Path, picture: Picture) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.ascontiguousarray(picture[..., ::-1]))


@pytest.fixture
def folder(tmp_path: Path, astronaut: Picture, hopper: Picture) -> Path:
    """Two people, one of them with a photo that is no photo, and a landscape of a third."""
    made = tmp_path / "people"
    photo(made / "Eileen" / "1.jpg", astronaut)
    photo(made / "Grace" / "1.jpg", hopper)
    photo(made / "Grace" / "2.jpg", hopper[:, ::-1])
    (made / "Grace" / "3.jpg").write_text("no picture")
    photo(made / "Nobody" / "1.jpg", np.zeros((80, 80, 3), np.uint8))
    return made


def test_a_name_in_two_folders_is_one_person(folder: Path, tmp_path: Path, hopper: Picture) -> None:
    photo(tmp_path / "more" / "grace" / "4.jpg", hopper)
    people = gathered([folder, tmp_path / "more"], []).people
    assert list(people) == ["eileen", "grace", "nobody"]
    assert [path.name for path in people["grace"]] == ["1.jpg", "2.jpg", "3.jpg", "4.jpg"]


def test_whoever_is_left_out_is_left_out_however_it_is_spelled(folder: Path) -> None:
    assert list(gathered([folder], [], ["GRACE", "nobody"]).people) == ["eileen"]


def test_photos_without_names_may_lie_flat_or_in_folders(folder: Path) -> None:
    assert len(gathered([], [folder, folder / "Grace"]).unnamed) == 5 + 3


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="nowhere is not a folder"):
        gathered([tmp_path / "nowhere"], [])


def test_what_shows_no_face_is_counted_and_skipped(
    folder: Path, detector: Detector, tmp_path: Path
) -> None:
    data = prepared(gathered([folder], [folder / "Eileen"]), detector, tmp_path / "chips.npz")
    assert data.labels.tolist() == [0, 1, 1, -1]
    assert data.chips.shape == (4, 112, 112, 3)


def test_an_aligned_chip_stays_as_it_is(
    tmp_path: Path, detector: Detector, astronaut: Picture
) -> None:
    chip = cv2.resize(astronaut, (112, 112))
    (tmp_path / "people" / "one").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "people" / "one" / "1.png"), chip[..., ::-1])
    data = prepared(gathered([tmp_path / "people"], []), detector, tmp_path / "chips.npz")
    assert np.array_equal(data.chips[0], chip)


def test_the_same_photos_are_prepared_once(
    folder: Path, detector: Detector, tmp_path: Path, hopper: Picture
) -> None:
    cache = tmp_path / "chips.npz"
    first = prepared(gathered([folder], []), detector, cache)
    written = cache.stat().st_mtime_ns
    again = prepared(gathered([folder], []), detector, cache)
    assert np.array_equal(first.chips, again.chips)
    assert cache.stat().st_mtime_ns == written

    # If the file is spoilt, I expect them prepared anew
    cache.write_bytes(cache.read_bytes()[:-100])
    assert np.array_equal(prepared(gathered([folder], []), detector, cache).chips, first.chips)

    # and where faces are found in another way
    other = gathered([folder], [], detection="another")
    assert other.digest != gathered([folder], []).digest

    # If a photo is added, I expect them prepared anew
    photo(folder / "Grace" / "5.jpg", hopper)
    assert len(prepared(gathered([folder], []), detector, cache).chips) == 4


def test_a_place_that_cant_be_written_is_named(
    folder: Path, detector: Detector, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrainingStopped, match="chips.npz can't be written"):
        prepared(gathered([folder], []), detector, tmp_path / "file" / "chips.npz")
