"""Who is enrolled and who is a stranger, as folders of photos say."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from facetrail.errors import BadSettings
from index.photos.portrait import folders_of, photos_in


def photos_by_person(folder: Path) -> dict[str, list[Path]]:
    """The photos of a folder with a folder per person, by name.

    Raises BadSettings if it holds fewer than two people: somebody is the nearest only among
    several.
    """
    found = {person.name: photos_in(person) for person in folders_of(folder)}
    people = {name: photos for name, photos in found.items() if photos}
    if len(people) < 2:
        raise BadSettings(
            f"{folder} has photos of {len(people)} people: name a folder with a folder of photos "
            "for each of two people or more"
        )
    return people


def photos_but(folder: Path, left_out: Collection[str]) -> list[Path]:
    """The photos in a folder and in its folders per person, but for the people left out.

    People are the same whose names differ in case, or in `_` for a space. Raises BadSettings if
    the folder is none.
    """
    gone = {spelled(name) for name in left_out}
    people = [person for person in folders_of(folder) if spelled(person.name) not in gone]
    return [*photos_in(folder), *(photo for person in people for photo in photos_in(person))]


def strangers_in(
    folder: Path, enrolled: Collection[str], only: Collection[Path] | None = None
) -> list[Path]:
    """`photos_but` of the enrolled. only: no photos but these.

    Raises BadSettings if none is left.
    """
    photos = photos_but(folder, enrolled)
    if only is not None:
        photos = sorted(set(photos) & set(only))
    if not photos:
        raise BadSettings(
            f"{folder} has no photo of anybody who is not enrolled: name one with strangers"
        )
    return photos


def spelled(name: str) -> str:
    """The same for every way in which folders write a name: case, and `_` for a space."""
    return name.casefold().replace(" ", "_")
