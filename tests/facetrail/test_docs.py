"""What the documents list is what there is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from facetrail.cameras import Camera
from facetrail.settings import Settings
from facetrail.store import Keys

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_with_its_default_and_words(name: str) -> None:
    field = Settings.model_fields[name]
    row = next(
        line
        for line in (DOCS / "configuration.md").read_text().splitlines()
        if line.startswith(f"| `FACETRAIL_{name.upper()}` ")
    )
    default = "none" if field.default is None else str(field.default)
    assert f"| `{default}` |".casefold() in row.casefold()
    assert field.description and field.description in row


@pytest.mark.parametrize("key", sorted(set(Camera.model_fields) - {"name"}))
def test_every_key_of_the_camera_file_is_documented(key: str) -> None:
    assert f"| `{key}` |" in (DOCS / "configuration.md").read_text()


def test_every_key_of_redis_is_documented() -> None:
    keys = Keys()
    documented = re.sub(r"[{}]", "", (DOCS / "redis.md").read_text())
    for name, member in inspect.getmembers(Keys):
        if name.startswith("_") or name == "prefix":
            continue
        if isinstance(member, property):
            made = getattr(keys, name)
        elif callable(member):
            made = member(keys, "X")
        else:
            continue
        assert re.sub(r"[{}]", "", made) in documented, f"{name} is missing in docs/redis.md"


def test_the_readme_lists_no_command_that_is_not_there() -> None:
    from facetrail.cli.app import app

    there = {command.name or command.callback.__name__ for command in app.registered_commands}  # type: ignore[union-attr]
    groups = {str(group.name): group.typer_instance for group in app.registered_groups}
    for name, group in groups.items():
        there |= {name} | {f"{name} {command.name}" for command in group.registered_commands}  # type: ignore[union-attr]
    named = re.compile(rf"facetrail ((?:(?:{'|'.join(groups)}) )?[a-z]+(?:-[a-z]+)*)\b")
    for text in (DOCS.parent / "README.md", DOCS.parent / "ARCHITECTURE.md", *DOCS.glob("*.md")):
        for command in named.findall(text.read_text()):
            assert command in there, f"{text.name} names `facetrail {command}`"
