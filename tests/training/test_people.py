"""Folders say who is enrolled and who is a stranger."""

from __future__ import annotations

from pathlib import Path

import pytest

from facetrail.errors import BadSettings
from training.people import photos_by_person, strangers_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("Ada L/2.png", "Ada L/1.jpg", "Ben/1.jpg", "Ben/notes.txt", ".old/1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "Cleo").mkdir()
    (tmp_path / "flat.jpg").touch()
    return tmp_path


def names(photos: list[Path], folder: Path) -> list[str]:
    return [str(photo.relative_to(folder)) for photo in photos]


def test_people_are_folders_with_photos(folder: Path) -> None:
    found = photos_by_person(folder)
    assert {name: names(photos, folder) for name, photos in found.items()} == {
        "Ada L": ["Ada L/1.jpg", "Ada L/2.png"],
        "Ben": ["Ben/1.jpg"],
    }


def test_one_person_alone_is_refused(folder: Path) -> None:
    (folder / "Ben" / "1.jpg").unlink()
    with pytest.raises(BadSettings, match="has photos of 1 people: name a folder with"):
        photos_by_person(folder)


def test_a_folder_that_is_none_is_refused(folder: Path) -> None:
    with pytest.raises(BadSettings, match="flat.jpg is not a folder"):
        photos_by_person(folder / "flat.jpg")


def test_strangers_are_all_photos_of_whom_is_not_enrolled(folder: Path) -> None:
    assert names(strangers_in(folder, ["Dora"]), folder) == [
        "flat.jpg",
        "Ada L/1.jpg",
        "Ada L/2.png",
        "Ben/1.jpg",
    ]
    assert names(strangers_in(folder, ["ada_l"]), folder) == ["flat.jpg", "Ben/1.jpg"]
    only = [folder / "Ben/1.jpg", folder / "Ada L/1.jpg", folder / "gone.jpg"]
    assert names(strangers_in(folder, ["ben"], only), folder) == ["Ada L/1.jpg"]


def test_a_folder_without_strangers_is_refused(folder: Path) -> None:
    (folder / "flat.jpg").unlink()
    with pytest.raises(BadSettings, match="has no photo of anybody who is not enrolled"):
        strangers_in(folder, ["Ada L", "Ben"])
