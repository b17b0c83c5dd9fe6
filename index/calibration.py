"""The threshold and margin that hold in place of an encoder's own."""

from __future__ import annotations

from typing import Annotated

import msgspec

#: The largest Euclidean distance of unit encodings is 2.
Threshold = Annotated[float, msgspec.Meta(gt=0, le=2)]
Margin = Annotated[float, msgspec.Meta(ge=0, le=2)]
Rate = Annotated[float, msgspec.Meta(gt=0, lt=1)]


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """What `facetrail calibrate` found for one encoder.

    threshold, margin: Euclidean distances of unit encodings. fpir: the rate that was wanted.
    calibrated_at: ISO 8601, UTC.
    """

    threshold: Threshold
    margin: Margin
    fpir: Rate
    calibrated_at: str
