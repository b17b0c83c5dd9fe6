"""The camera file: which cameras there are and how each is looked at."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from facetrail.addresses import checked_address
from facetrail.errors import BadSettings
from facetrail.schedule import Hours
from facetrail.yaml_document import QUOTE_IT, YamlDocument, shown_keys

Share = Annotated[float, Field(ge=0, le=1)]
Polygon = Annotated[list[tuple[Share, Share]], Field(min_length=3)]
ZoneName = Annotated[str, Field(min_length=1, max_length=64)]

_NAME = re.compile(r"[\w.-]{1,64}")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_HINTS = {
    "dict_type": "expected keys and their values below it",
    "model_type": "expected keys and their values below it",
    "string_type": f"expected text; {QUOTE_IT}",
}


class _How(BaseModel):
    # Inputs are hidden in errors, since one may be a url and hold a password.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    fps: float = Field(5.0, gt=0, le=60, description="Frames a second looked at.")
    detect_width: int = Field(
        640, ge=64, le=7680, description="Pixels of the longer side that detection sees."
    )
    min_face: int = Field(
        40, ge=16, le=2000, description="Least height in pixels of a face in the frame."
    )
    detect_precision: Literal["auto", "f32", "bf16"] = Field(
        "auto", description="Arithmetic of detection. auto: bf16 where the processor has it."
    )
    tiles: int = Field(
        1, ge=1, le=3, description="Also look at so many parts of the picture, across and down."
    )
    min_quality: float = Field(
        0.0, ge=0, le=1, description="Least quality of a chip that is sent, 0 to 1."
    )
    better_by: float = Field(
        0.1, ge=0, le=10, description="How much better a track's later chips must be, as a share."
    )
    motion: bool = Field(True, description="Whether a still picture is left alone.")
    motion_threshold: float = Field(
        8.0, gt=0, le=255, description="By how much brightness must change, of 255."
    )
    schedule: list[Hours] = Field(
        default_factory=list, description="When it is looked at, by local time. None: always."
    )
    transport: Literal["tcp", "udp"] = Field("tcp", description="How RTSP carries the picture.")
    hwaccel: Literal["auto", "none", "cuda", "vaapi"] = Field(
        "auto", description="The device that decodes. auto: one that is there, else software."
    )
    keyframes_only: bool = Field(
        False, description="Decode key frames only: `fps` is then at most what the camera sends."
    )


class Camera(_How):
    """One camera.

    url: rtsp://, rtsps://, http(s)://, a file (played in a loop at its own frame rate) or
    webcam:0; secret, since it may hold a password. substream: a smaller picture of the same
    camera, read instead. zones, masks: polygons of x y, 0 to 1.
    """

    name: str = Field(exclude=True)
    url: SecretStr
    substream: SecretStr | None = None
    enabled: bool = True
    zones: dict[ZoneName, Polygon] = Field(default_factory=dict)
    masks: list[Polygon] = Field(default_factory=list)

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("a camera's name has 1 to 64 letters, digits, '_', '.' and '-'")
        return name

    @property
    def read_url(self) -> SecretStr:
        """What is read all the time."""
        return self.substream or self.url

    def with_secrets(self) -> dict[str, Any]:
        """For JSON that only the camera's own process sees."""
        urls = {"url": self.url, "substream": self.substream}
        shown = {key: url.get_secret_value() for key, url in urls.items() if url is not None}
        return self.model_dump(mode="json") | {"name": self.name} | shown


class _CameraFile(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    defaults: _How = _How()
    cameras: dict[str, dict[str, Any]]


def read_cameras(path: Path, environment: Mapping[str, str] = os.environ) -> list[Camera]:
    """The enabled cameras of a file. Raises BadSettings, naming the line, key and mend."""
    try:
        document = YamlDocument.read(path)
    except OSError as error:
        raise BadSettings(
            f"{path} can't be read ({error.strerror}): write a camera file, or name one with "
            "--cameras or FACETRAIL_CAMERAS"
        ) from error
    if not isinstance(document.content, dict):
        raise BadSettings(f"{path} needs a key 'cameras', below it a camera's name and its url")
    found = _CameraReader(path, document, environment).cameras()
    if not found:
        raise BadSettings(f"{path} names no camera that is enabled: add one under 'cameras'")
    return found


class _CameraReader:
    """Makes cameras of a file's entries."""

    def __init__(self, path: Path, document: YamlDocument, environment: Mapping[str, str]) -> None:
        self.path = path
        self.document = document
        self.environment = environment

    def cameras(self) -> list[Camera]:
        try:
            file = _CameraFile.model_validate(self.document.content)
        except ValidationError as error:
            raise BadSettings(self._sentence(error, ())) from None
        defaults = file.defaults.model_dump(exclude_unset=True)
        every = [self._camera(name, defaults | entry) for name, entry in file.cameras.items()]
        return [camera for camera in every if camera.enabled]

    def _camera(self, name: str, entry: dict[str, Any]) -> Camera:
        place = ("cameras", name)
        if "name" in entry:
            line = self.document.line_of((*place, "name"))
            raise BadSettings(
                f"{self.path} line {line}: {shown_keys((*place, 'name'))} is not a known key; a "
                "camera's name is the key that its settings stand below"
            )
        try:
            camera = Camera.model_validate(entry | {"name": name})
        except ValidationError as error:
            raise BadSettings(self._sentence(error, place)) from None
        if not camera.enabled:  # its clip or password need not be there
            return camera
        urls = {"url": camera.url, "substream": camera.substream}
        given = {key: url for key, url in urls.items() if url is not None}
        addresses = {key: self._address(name, key, url) for key, url in given.items()}
        return camera.model_copy(update=addresses)

    def _address(self, name: str, key: str, url: SecretStr) -> SecretStr:
        """The url of that key, filled in and checked."""
        try:
            filled = filled_in(url.get_secret_value(), self.environment)
            return SecretStr(checked_address(filled, beside=self.path.parent))
        except BadSettings as error:
            line = self.document.line_of(("cameras", name, key))
            place = "" if key == "url" else f"{key}: "
            raise BadSettings(f"{self.path} line {line}: camera {name}: {place}{error}") from None

    def _sentence(self, error: ValidationError, place: tuple[str, ...]) -> str:
        """The first fault: file, line, key and what is expected, never the value of a url."""
        faults = error.errors(include_url=False)
        # A key that is written wrongly is also missing: that is the lesser help.
        first = min(faults, key=lambda fault: fault["type"] != "extra_forbidden")
        loc = (*place, *(str(part) for part in first["loc"]))
        if place and first["loc"] == ("name",):
            loc = place
        where = f"{self.path} line {self.document.line_of(loc)}: {shown_keys(loc)}"
        if first["type"] == "extra_forbidden":
            if first["input"] is None:  # no key with a value, but perhaps {a piece of a url}
                where = where.removesuffix(loc[-1]) + "…"
            near = difflib.get_close_matches(loc[-1], _known(loc), n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(_known(loc))}"
            return f"{where} is not a known key; {hint}"
        if first["type"] == "missing":
            return f"{where} is missing; add it"
        words = _HINTS.get(first["type"], first["msg"].removeprefix("Value error, "))
        return f"{where} can't be used: {words}"


def filled_in(url: str, environment: Mapping[str, str]) -> str:
    """The url with each {NAME} replaced by that variable.

    In an address it is quoted, so that a user or password may hold any sign; one that is the
    whole url or part of a file's path stands as it is. Raises BadSettings.
    """
    is_address, login_ends = "://" in url, url.rfind("@")

    def value(match: re.Match[str]) -> str:
        found = environment.get(match[1])
        if found is None:
            raise BadSettings(_not_set(match[1]))
        if not is_address:
            return found
        safe = "" if match.start() < login_ends else "/:"
        return quote(found, safe=safe, errors="surrogateescape")

    return _PLACEHOLDER.sub(value, url)


def _not_set(name: str) -> str:
    # What is written small between braces may be a piece of a password that holds braces.
    shown = f"{{{name}}}" if name.isupper() else "what stands between { and }"
    return (
        f"{shown} in the url is not set in the environment: set that variable; or write "
        "%7B and %7D for braces that belong to a password"
    )


def _known(loc: tuple[str, ...]) -> list[str]:
    """The keys that may stand where the last of `loc` does."""
    if len(loc) == 1:
        return list(_CameraFile.model_fields)
    if loc[-3:-2] == ("schedule",):
        return [field.alias or key for key, field in Hours.model_fields.items()]
    model = _How if loc[0] == "defaults" else Camera
    return [key for key in model.model_fields if key != "name"]
