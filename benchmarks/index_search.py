"""Search among many encodings: by their codes, against every one of them, in the same run.

    python -m benchmarks.index_search --faces LFW/images --people 500000

The encodings are drawn, two of each person, with the spread within and between people that the
encoder gives the people of a folder; so are the probes, third ones of people enrolled, and
strangers. What an exact search says is the truth that recall and decisions are counted against.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import faiss
import numpy as np

from benchmarks.encoder_memory import resident_mb
from facetrail import log
from facetrail.settings import read_settings
from facetrail.wire import Encodings
from index.face_index import FaceIndex
from index.rows import NUMBERS, ExactRows
from training.faces import encoded
from training.people import photos_by_person
from training.photos import find_chips, photo_detector
from workers.encoders.choice import opened_encoder

BATCH = 32
CHUNK = 50_000


@dataclass(frozen=True, slots=True)
class Spread:
    """Normal distributions: of people around `middle`, and of photos around a person.

    between, within: roots of the covariances, `(128, 128)`.
    """

    middle: Encodings
    between: Encodings
    within: Encodings

    @classmethod
    def of(cls, people: Sequence[Encodings]) -> Spread:
        """people: the encodings of each. Those with one photo count for the spread of all."""
        several = [rows - rows.mean(axis=0) for rows in people if len(rows) > 1]
        within = sum(rows.T @ rows for rows in several) / sum(len(rows) - 1 for rows in several)
        everyone = np.stack([rows[0] for rows in people])
        return cls(everyone.mean(axis=0), _root(np.cov(everyone.T) - within), _root(within))

    def people(self, count: int, random: np.random.Generator) -> Encodings:
        drawn = random.standard_normal((count, NUMBERS), np.float32)
        return self.middle + drawn @ self.between

    def photos(self, people: Encodings, random: np.random.Generator) -> Encodings:
        """One of each, of length 1."""
        drawn = people + random.standard_normal(people.shape, np.float32) @ self.within
        return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def _root(covariance: Encodings) -> Encodings:
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    return np.asarray(root @ vectors.T, np.float32)


@dataclass(frozen=True, slots=True)
class Drawn:
    """enrolled: two rows of each person, one after the other. known, strangers: probes."""

    enrolled: Encodings
    known: Encodings
    strangers: Encodings

    @classmethod
    def of(cls, spread: Spread, people: int, probes: int) -> Drawn:
        random = np.random.default_rng(1)
        enrolled = np.empty((2 * people, NUMBERS), np.float32)
        known: list[Encodings] = []
        for start in range(0, people, CHUNK):
            some = spread.people(min(CHUNK, people - start), random)
            for photo in (0, 1):
                rows = spread.photos(some, random)
                enrolled[2 * start + photo : 2 * (start + len(some)) : 2] = rows
            known.append(spread.photos(some[: -(-probes * len(some) // people)], random))
        strangers = spread.photos(spread.people(probes, random), random)
        return cls(enrolled, np.concatenate(known)[:probes], strangers)


def spread_of(folder: Path, encoder_name: str) -> tuple[Spread, float]:
    """Of the people in a folder, as an encoder sees them; and its threshold."""
    settings = read_settings()
    encoder = opened_encoder(encoder_name, settings)
    owners = {photo: name for name, photos in photos_by_person(folder).items() for photo in photos}
    found = find_chips(list(owners), photo_detector(settings), takes_chips=True)
    rows: dict[str, list[Encodings]] = {}
    for path, row in zip(found.paths, encoded(found.chips, encoder), strict=True):
        rows.setdefault(owners[path], []).append(row)
    return Spread.of([np.stack(own) for own in rows.values()]), encoder.threshold


def timed(search: Callable[[Encodings], object], probes: Encodings) -> float:
    """Median milliseconds a batch."""
    taken = []
    for batch in batches(probes, BATCH):
        began = time.perf_counter()
        search(batch)
        taken.append(time.perf_counter() - began)
    return 1000 * median(taken)


def batches(probes: Encodings, size: int) -> list[Encodings]:
    return [probes[start : start + size] for start in range(0, len(probes), size)]


@dataclass(frozen=True, slots=True)
class Answers:
    """The nearest person to each probe, and how far they are."""

    people: list[str]
    distances: Encodings

    @classmethod
    def exact(cls, enrolled: Encodings, probes: Encodings) -> Answers:
        rows = ExactRows(enrolled)
        found = [rows.nearest(batch, 1) for batch in batches(probes, 256)]
        similarities = np.concatenate([similarities[:, 0] for similarities, _ in found])
        people = [name_of(row) for _, nearest in found for row in nearest[:, 0]]
        return cls(people, np.sqrt(np.maximum(0, 2 - 2 * similarities)))

    @classmethod
    def of(cls, index: FaceIndex, probes: Encodings) -> Answers:
        nearest = [found[0] for batch in batches(probes, BATCH) for found in index.search(batch)]
        return cls([one.person for one in nearest], np.array([one.distance for one in nearest]))


def name_of(row: int) -> str:
    """As long as a person's id."""
    return f"{row // 2:012x}"


def run(given: argparse.Namespace) -> None:
    spread, threshold = spread_of(given.faces, given.encoder)
    faiss.omp_set_num_threads(given.threads)
    before = resident_mb()
    drawn = Drawn.of(spread, given.people, given.probes)
    probes = {"enrolled": drawn.known, "strangers": drawn.strangers}
    exact_ms = timed(partial(ExactRows(drawn.enrolled).nearest, count=2), drawn.known[: 8 * BATCH])
    truths = {kind: Answers.exact(drawn.enrolled, own) for kind, own in probes.items()}
    count, size_mb = len(drawn.enrolled), drawn.enrolled.nbytes / 2**20

    began = time.perf_counter()
    index = FaceIndex([name_of(row) for row in range(count)], drawn.enrolled)
    built_s = time.perf_counter() - began
    del drawn
    gc.collect()
    memory = (resident_mb() - before) / size_mb
    scan_ms = timed(index.search, probes["enrolled"])

    print(f"{count} encodings, {given.threads} threads, batches of {BATCH}")
    print(f"every row {exact_ms:.1f} ms, by codes {scan_ms:.1f} ms: {exact_ms / scan_ms:.1f} x")
    print(f"built in {built_s:.1f} s; memory {memory:.2f} x the encodings")
    for kind, truth in truths.items():
        print(f"{kind}: {compared(truth, Answers.of(index, probes[kind]), threshold)}")


def compared(truth: Answers, found: Answers, threshold: float) -> str:
    recall = np.mean([one == other for one, other in zip(truth.people, found.people, strict=True)])
    meant, named = truth.distances <= threshold, found.distances <= threshold
    return (
        f"recall@1 {recall:.4f}; {np.mean(named):.2%} within the threshold, of which and of the "
        f"others {np.sum(named != meant)} of {len(meant)} are decided otherwise than by every row"
    )


def main() -> None:
    made = argparse.ArgumentParser(description="Search among many encodings.")
    made.add_argument("--faces", type=Path, required=True, help="photos, a folder per person")
    made.add_argument("--encoder", default="retail0095")
    made.add_argument("--people", type=int, default=500_000, help="enrolled, two photos each")
    made.add_argument("--probes", type=int, default=4096, help="of people enrolled, and strangers")
    made.add_argument("--threads", type=int, default=2)
    log.configure(level="warning")
    run(made.parse_args())


if __name__ == "__main__":
    main()
