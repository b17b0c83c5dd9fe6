"""What `facetrail enroll` says: of each person, and of all of them in the end."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Iterable
from heapq import nsmallest

import msgspec

from facetrail.cli.json_line import print_json
from index.enrolment import Enrolment, Similar

VERDICTS = ("enrolled", "enrolled before", "not")
#: Up to so many people each has a line; of more only those with something amiss.
FEW = 20
#: Of many people who may be somebody else too, so many are named: those most alike.
MOST_ALIKE = 10


class Refusal(msgspec.Struct, frozen=True):
    """A photo that was not taken, as `--json` prints it.

    value, limit: what was measured and what would have been taken, where that is a number.
    """

    photo: str
    reason: str
    sentence: str
    value: float | None
    limit: float | None


class Warned(msgspec.Struct, frozen=True):
    """Somebody enrolled who may be the same person. Distances are Euclidean, 0 to 2."""

    name: str
    distance: float
    threshold: float


class Outcome(msgspec.Struct, frozen=True):
    """What became of one person, as `--json` prints it.

    removed: somebody took them out of the gallery meanwhile, so nothing was kept.
    """

    name: str
    id: str | None
    accepted: list[str]
    rejected: list[Refusal]
    warnings: list[Warned]
    removed: bool


class Report:
    """Tells of people as they come. expected: how many."""

    def __init__(self, expected: int, *, as_json: bool) -> None:
        self._expected = expected
        self._as_json = as_json
        self._people: Counter[str] = Counter()
        self._photos: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._alike: list[tuple[float, str]] = []
        self._doubtful = 0

    @property
    def everyone(self) -> bool:
        """Whether all who were expected are in the gallery by one of their photos."""
        return self._done == self._expected and not self._people["not"]

    @property
    def _done(self) -> int:
        return sum(self._people[word] for word in VERDICTS)

    def tell(self, enrolment: Enrolment) -> None:
        """Of one person."""
        self._count(enrolment)
        if self._as_json:
            print_json(_outcome(enrolment))
            return
        if self._expected <= FEW or _is_amiss(enrolment):
            _print(enrolment)
        self._warn(enrolment)

    def _warn(self, enrolment: Enrolment) -> None:
        lines = [(other.distance, _warning(enrolment.name, other)) for other in enrolment.warnings]
        if self._expected <= FEW:
            _say(line for _, line in lines)
        else:
            self._doubtful += bool(lines)
            self._alike = nsmallest(MOST_ALIKE, [*self._alike, *lines])

    def _count(self, enrolment: Enrolment) -> None:
        before = sum(rejected.own for rejected in enrolment.rejected)
        self._people[_verdict(enrolment, before)] += 1
        self._photos["accepted"] += len(enrolment.accepted)
        self._photos["enrolled before"] += before
        self._refused.update(one.reason for one in enrolment.rejected if not one.own)

    def end(self) -> None:
        """Of all together, if they are several."""
        if self._as_json or self._expected < 2:
            return
        people = [f"{self._people[word]} {word}" for word in VERDICTS]
        refused = ", ".join(f"{count} {reason}" for reason, count in self._refused.most_common())
        photos = [f"{self._photos[word]} {word}" for word in ("accepted", "enrolled before")]
        photos.append(f"{self._refused.total()} refused" + (f" ({refused})" if refused else ""))
        total = self._photos.total() + self._refused.total()
        print(f"{self._done} people: {', '.join(people)}")
        print(f"{_counted(total)}: {', '.join(photos)}")
        if self._alike:
            print(
                f"{self._doubtful} may be somebody else too, by a threshold that `facetrail "
                "calibrate` sets for as many people as there are; most of all",
                file=sys.stderr,
            )
            _say(line for _, line in self._alike)

    def stopped(self) -> None:
        """It was ended before all had come."""
        done = f"{self._done} of {self._expected}"
        print(f"stopped after {done} people; run it again to go on from there", file=sys.stderr)


def _verdict(enrolment: Enrolment, before: int) -> str:
    if enrolment.accepted:
        return "enrolled"
    return "enrolled before" if before and not enrolment.removed else "not"


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(f"  {line}", file=sys.stderr)


def _is_amiss(enrolment: Enrolment) -> bool:
    refused = not all(rejected.own for rejected in enrolment.rejected)
    return refused or enrolment.removed or _is_empty(enrolment)


def _is_empty(enrolment: Enrolment) -> bool:
    """Nothing was there to be taken, or has stayed."""
    return not enrolment.accepted and not enrolment.rejected


def _outcome(enrolment: Enrolment) -> Outcome:
    return Outcome(
        enrolment.name,
        enrolment.person.id if enrolment.person else None,
        list(enrolment.accepted),
        [Refusal(r.photo, r.reason, r.sentence, r.value, r.limit) for r in enrolment.rejected],
        [Warned(w.name, w.distance, w.threshold) for w in enrolment.warnings],
        enrolment.removed,
    )


def _print(enrolment: Enrolment) -> None:
    print(f"{enrolment.name}: {_counts(enrolment)}")
    if enrolment.removed:
        _say(["removed: somebody took them out of the gallery meanwhile; enrol them again"])
    elif _is_empty(enrolment):
        _say(["no_photo: no file is called like a picture; put some there"])
    _say(f"{one.reason}: {one.sentence}" for one in enrolment.rejected if not one.own)


def _warning(name: str, other: Similar) -> str:
    distances = f"{other.distance:.3f} apart, where up to {other.threshold:.3f} is one"
    merge = f"facetrail people merge {shlex.quote(name)} {shlex.quote(other.name)}"
    return f"warning: {name} may be the same person as {other.name}: {distances}; if so: `{merge}`"


def _counts(enrolment: Enrolment) -> str:
    """Such as `1 photo accepted, 2 enrolled before`."""
    new, before = len(enrolment.accepted), sum(rejected.own for rejected in enrolment.rejected)
    if before and not new:
        return f"{_counted(before)} enrolled before"
    return f"{_counted(new)} accepted" + (f", {before} enrolled before" if before else "")


def _counted(photos: int) -> str:
    return f"{photos} photo{'' if photos == 1 else 's'}"
