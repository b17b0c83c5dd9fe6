"""The camera file: which cameras there are and how each is looked at."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from facetrail.addresses import checked_address
from facetrail.errors import BadSettings

Share = Annotated[float, Field(ge=0, le=1)]
Polygon = Annotated[list[tuple[Share, Share]], Field(min_length=3)]

_NAME = re.compile(r"[\w.-]{1,64}")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class _How(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    fps: float = Field(5.0, gt=0, le=60, description="Frames a second looked at.")
    detect_width: int = Field(
        640, ge=64, le=7680, description="Pixels of the longer side that detection sees."
    )
    min_face: int = Field(
        40, ge=16, le=2000, description="Least height in pixels of a face in the frame."
    )


class Camera(_How):
    """One camera.

    url: rtsp://, rtsps://, http(s)://, a file (played in a loop at its own frame rate) or
    webcam:0; secret, since it may hold a password. zones: polygons of x y, 0 to 1.
    """

    name: str = Field(exclude=True)
    url: SecretStr
    enabled: bool = True
    zones: dict[str, Polygon] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("a camera's name has 1 to 64 letters, digits, '_', '.' and '-'")
        return name


class _CameraFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    defaults: _How = _How()
    cameras: dict[str, dict[str, Any]]


def read_cameras(path: Path, environment: Mapping[str, str] = os.environ) -> list[Camera]:
    """The enabled cameras of a file. Raises BadSettings, naming the line, key and mend."""
    try:
        text = path.read_text()
        root = yaml.compose(text, yaml.SafeLoader)
        content = yaml.safe_load(text)
    except OSError as error:
        raise BadSettings(
            f"{path} can't be read ({error.strerror}): write a camera file, or name one with "
            "--cameras or FACETRAIL_CAMERAS"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path} is not YAML: {_in_one_line(error)}") from error
    if root is None or not isinstance(content, dict):
        raise BadSettings(f"{path} is empty: it needs a key 'cameras', a camera's name and its url")
    try:
        file = _CameraFile.model_validate(content)
        found = _CameraReader(path, root, environment).cameras(file)
    except ValidationError as error:
        raise BadSettings(_sentence(path, root, error, ())) from error
    if not found:
        raise BadSettings(f"{path} names no camera that is enabled: add one under 'cameras'")
    return found


class _CameraReader:
    """Makes cameras of a checked file's entries."""

    def __init__(self, path: Path, root: yaml.Node, environment: Mapping[str, str]) -> None:
        self.path = path
        self.root = root
        self.environment = environment

    def cameras(self, file: _CameraFile) -> list[Camera]:
        defaults = file.defaults.model_dump(exclude_unset=True)
        every = [self._camera(name, defaults | entry) for name, entry in file.cameras.items()]
        return [camera for camera in every if camera.enabled]

    def _camera(self, name: str, entry: dict[str, Any]) -> Camera:
        place = ("cameras", name)
        try:
            camera = Camera.model_validate({"name": name, **entry})
        except ValidationError as error:
            raise BadSettings(_sentence(self.path, self.root, error, place)) from None
        try:
            filled = _filled_in(camera.url.get_secret_value(), self.environment)
            address = checked_address(filled, beside=self.path.parent)
        except BadSettings as error:
            line = _line_of(self.root, (*place, "url"))
            raise BadSettings(f"{self.path} line {line}: camera {name}: {error}") from error
        return camera.model_copy(update={"url": SecretStr(address)})


def _filled_in(url: str, environment: Mapping[str, str]) -> str:
    """The url with each {NAME} replaced by that variable, quoted so that any sign may be in it."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in environment:
            raise BadSettings(f"{{{name}}} in the url is not set in the environment: set {name}")
        return quote(environment[name], safe="")

    return _PLACEHOLDER.sub(value, url)


def _sentence(path: Path, root: yaml.Node, error: ValidationError, place: tuple[str, ...]) -> str:
    """The first fault: file, line, key and what is expected, never the value of a url."""
    first = error.errors(include_url=False, include_input=False)[0]
    loc = (*place, *(str(part) for part in first["loc"]))
    if place and first["loc"] == ("name",):
        loc = place
    where = f"{path} line {_line_of(root, loc)}: {'.'.join(loc)}"
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(loc[-1], _known(loc), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(_known(loc))}"
        return f"{where} is not a known key; {hint}"
    if first["type"] == "missing":
        return f"{where} is missing; add it"
    return f"{where} can't be used: {first['msg'].removeprefix('Value error, ')}"


def _known(loc: tuple[str, ...]) -> list[str]:
    """The keys that may stand where the last of `loc` does."""
    if len(loc) == 1:
        return list(_CameraFile.model_fields)
    model = _How if loc[0] == "defaults" else Camera
    return [key for key in model.model_fields if key != "name"]


def _line_of(node: yaml.Node, loc: tuple[str, ...]) -> int:
    """The line, from 1, of the deepest key of `loc` that is in the file."""
    line = node.start_mark.line + 1
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            found = next((kv for kv in node.value if str(kv[0].value) == part), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and part.isdecimal():
            node = node.value[int(part)]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _in_one_line(error: Exception) -> str:
    """PyYAML's words without the excerpt, which may hold a password."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return type(error).__name__
