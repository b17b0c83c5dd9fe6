"""The gallery as a worker searches it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from facetrail.wire import Encodings
from index.calibration import Calibration
from index.face_index import Candidate, FaceIndex
from index.person import Rule
from index.roll import Roll


@dataclass(frozen=True, slots=True)
class View:
    """The gallery at one position of its log; never changed.

    rules: of those who have any. negatives: by id, encodings that are not theirs, `(k, 128)`.
    calibration: what holds in place of the encoder's own threshold and margin; None: they do.
    people: what they are called, read when asked. mismatch: why nobody is known, where the gallery
    is another encoder's.
    """

    position: str
    index: FaceIndex
    people: Roll
    rules: Mapping[str, Rule] = field(default_factory=dict)
    negatives: Mapping[str, Encodings] = field(default_factory=dict)
    calibration: Calibration | None = None
    mismatch: str | None = None

    def rules_out(self, candidate: Candidate, encoding: Encodings, at: int) -> bool:
        """Whether a face can't be this person: it is not their time, or it is known not to be.

        encoding: `(128,)`. at: nanoseconds, UTC. A face is known not to be theirs when it is
        nearer to one that is not than to any that is.
        """
        rule = self.rules.get(candidate.person)
        if rule is not None and not rule.holds(at):
            return True
        others = self.negatives.get(candidate.person)
        if others is None:
            return False
        return float(np.linalg.norm(others - encoding, axis=1).min()) < candidate.distance

    def is_ignored(self, person: str) -> bool:
        """Whether they are known and not reported."""
        rule = self.rules.get(person)
        return rule is not None and rule.ignored
