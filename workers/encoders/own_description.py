"""What a user says of their own encoder, in a file beside it: `NAME.yml`."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from facetrail.errors import BadSettings
from facetrail.yaml_document import YamlDocument, shown_keys

Number = Annotated[float, Field(allow_inf_nan=False)]
Factor = Annotated[Number, Field(gt=0)]
Edge = Annotated[float, Field(ge=-56, le=168)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Part(_Part):
    """The part of the chip that the encoder sees: edges in pixels of the 112x112."""

    left: Edge = 0.0
    top: Edge = 0.0
    right: Edge = 112.0
    bottom: Edge = 112.0

    @model_validator(mode="after")
    def _is_not_empty(self) -> Part:
        if self.right <= self.left or self.bottom <= self.top:
            raise ValueError("right must be more than left, and bottom more than top")
        return self


class Description(_Part):
    """How chips are given to the encoder, and how its encodings are judged.

    side: rows and columns it wants. mean, scale: of each channel in the encoder's order, or
    one for all; it gets `(value - mean) / scale`, values from 0 to 255. projection: a `.npy`
    file beside it. threshold, margin: Euclidean distances of unit encodings.
    """

    threshold: float = Field(gt=0, lt=2)
    margin: float = Field(ge=0, lt=2)
    licence: str | None = None
    side: int = Field(112, ge=16, le=1024)
    layout: Literal["nhwc", "nchw"] = "nhwc"
    channels: Literal["rgb", "bgr"] = "rgb"
    mean: Number | tuple[Number, Number, Number] = 0.0
    scale: Factor | tuple[Factor, Factor, Factor] = 1.0
    crop: Part = Part()
    projection: str | None = None

    @classmethod
    def read(cls, path: Path) -> Description:
        """Raises BadSettings, naming the line, the key and the mend."""
        try:
            document = YamlDocument.read(path)
        except OSError as error:
            raise BadSettings(
                f"{path} can't be read ({error.strerror}): describe the encoder there, "
                "as docs/own_encoder.md says"
            ) from error
        try:
            return cls.model_validate(document.content or {})
        except ValidationError as error:
            raise BadSettings(_sentence(path, document, error)) from None

    @property
    def network(self) -> str:
        """All that changes the encodings, as one text; a threshold does not."""
        return self.model_dump_json(exclude={"threshold", "margin", "licence", "projection"})

    @property
    def shape(self) -> tuple[None, int, int, int]:
        """Of the encoder's input; None stands for any number of chips."""
        sides = (self.side, self.side)
        return (None, *sides, 3) if self.layout == "nhwc" else (None, 3, *sides)


def _sentence(path: Path, document: YamlDocument, error: ValidationError) -> str:
    """The first fault; a key that is written wrongly is also missing: that is the lesser help."""
    faults = error.errors(include_url=False)
    first = min(faults, key=lambda fault: fault["type"] != "extra_forbidden")
    loc = tuple(str(part) for part in first["loc"])
    where = f"{path} line {document.line_of(loc)}: {shown_keys(loc)}".rstrip(": ")
    if first["type"] == "extra_forbidden":
        known = list((Part if loc[0] == "crop" else Description).model_fields)
        near = difflib.get_close_matches(loc[-1], known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        return f"{where} is not a known key; {hint}"
    if first["type"] == "missing":
        return f"{where} is missing; add it"
    if first["type"] == "model_type":
        return f"{where} can't be used: expected keys and their values"
    return f"{where} can't be used: {first['msg'].removeprefix('Value error, ')}"
