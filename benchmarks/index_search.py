"""Search among many encodings: by their codes, against every one of them, in the same run.

    python -m benchmarks.index_search --faces LFW/images --people 500000

The encodings are drawn, two of each person, with the spread within and between people that the
encoder gives the people of a folder; so are the probes, third ones of people enrolled, and
strangers. What an exact search says is the truth that recall and decisions are counted against:
at the encoder's own threshold, which a large gallery brings near to many a stranger, and at the
one that 1 % of strangers pass. Encodings are kept in 32 and in 16 bits, and all ways take turns,
batch by batch.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable, Mapping, Sequence
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
from index.freed import give_back
from index.part import Ids
from index.rows import EXACT, NUMBERS, ExactRows
from training.faces import encoded
from training.people import photos_by_person
from training.photos import find_chips, photo_detector
from workers.encoders.choice import opened_encoder

BATCH = 32
CHUNK = 50_000
MANY = 2 * EXACT


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


def batches(probes: Encodings, size: int) -> list[Encodings]:
    return [probes[start : start + size] for start in range(0, len(probes), size)]


@dataclass(frozen=True, slots=True)
class Answers:
    """The nearest person to each probe, and how far they are."""

    people: list[str]
    distances: Encodings

    @classmethod
    def exact(cls, rows: ExactRows, ids: Ids, probes: Encodings) -> Answers:
        found = [rows.first(batch, 1) for batch in batches(probes, 256)]
        similarities = np.concatenate([similarities[:, 0] for similarities, _ in found])
        nearest = np.concatenate([places[:, 0] for _, places in found])
        people = [person.decode() for person in ids[nearest]]
        return cls(people, np.sqrt(np.maximum(0, 2 - 2 * similarities)))

    @classmethod
    def of(cls, index: FaceIndex, probes: Encodings, within: float) -> Answers:
        nearest = [
            found[0]
            for batch in batches(probes, BATCH)
            for found in index.search(batch, within=within)
        ]
        return cls([one.person for one in nearest], np.array([one.distance for one in nearest]))


def ids_of(people: int) -> Ids:
    """Two rows of each, `S12` as in the gallery."""
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    shifts = np.arange(44, -4, -4)
    ids = np.empty(2 * people, "S12")
    for start in range(0, people, CHUNK):
        some = np.arange(start, min(start + CHUNK, people))
        written = digits[(some[:, None] >> shifts) & 15]  # (n, 12)
        ids[2 * start : 2 * (start + len(some))] = np.repeat(written.view("S12")[:, 0], 2)
    return ids


@dataclass(frozen=True, slots=True)
class Built:
    """An index, how long it took, and what memory has grown by, in MB."""

    index: FaceIndex
    seconds: float
    grown_mb: float

    @classmethod
    def of(cls, ids: Ids, encodings: Encodings, *, half: bool) -> Built:
        """The array of encodings is not counted: it was there before."""
        gc.collect()
        give_back()  # what was freed before must not hide what is taken now
        before, began = resident_mb(), time.perf_counter()
        index = FaceIndex.of(ids, encodings, half=half)
        seconds = time.perf_counter() - began
        gc.collect()
        return cls(index, seconds, resident_mb() - before)


Search = Callable[[Encodings], object]


def timed(ways: Mapping[str, Search], probes: Sequence[Encodings]) -> dict[str, float]:
    """Median milliseconds a batch of each way, which take turns."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for batch in probes:
        for name, search in ways.items():
            began = time.perf_counter()
            search(batch)
            taken[name].append(time.perf_counter() - began)
    return {name: 1000 * median(own) for name, own in taken.items()}


def run(given: argparse.Namespace) -> None:
    spread, threshold = spread_of(given.faces, given.encoder)
    faiss.omp_set_num_threads(given.threads)
    drawn, ids = Drawn.of(spread, given.people, given.probes), ids_of(given.people)
    exact = ExactRows(drawn.enrolled)
    FaceIndex(ids[:MANY], drawn.enrolled[:MANY])  # what the libraries keep for good, some 30 MB
    built = {
        "32 bits": Built.of(ids, drawn.enrolled, half=False),
        "16 bits": Built.of(ids, drawn.enrolled, half=True),
    }
    count, size_mb = len(ids), drawn.enrolled.nbytes / 2**20
    print(f"{count} encodings of {given.encoder} ({size_mb:.0f} MB), {given.threads} threads")
    for name, one in built.items():
        own_mb = one.grown_mb + (size_mb if name == "32 bits" else 0)  # that one keeps the array
        print(f"{name}: built in {one.seconds:.1f} s; memory {own_mb / size_mb:.2f} x them")
    print_times(
        exact, {name: one.index for name, one in built.items()}, drawn, given.turns, threshold
    )
    for kind, probes in (("strangers", drawn.strangers), ("enrolled", drawn.known)):
        truth = Answers.exact(exact, ids, probes)
        if kind == "strangers":
            thresholds = [threshold, float(np.quantile(truth.distances, 0.01))]
        for name, one in built.items():
            told = [compared(truth, Answers.of(one.index, probes, t), t) for t in thresholds]
            print(f"{kind}, {name}: {'; '.join(told)}", flush=True)


def print_times(
    exact: ExactRows,
    indexes: Mapping[str, FaceIndex],
    drawn: Drawn,
    turns: int,
    threshold: float,
) -> None:
    ways: dict[str, Search] = {"every row": partial(exact.first, count=2)}
    ways |= {name: partial(index.search, within=threshold) for name, index in indexes.items()}
    for kind, probes in (("enrolled", drawn.known), ("strangers", drawn.strangers)):
        taken = timed(ways, batches(probes, BATCH)[:turns])
        every = taken.pop("every row")
        print(f"batches of {BATCH} {kind}: every row {every:.1f} ms", end="")
        for name, own in taken.items():
            print(f"; by codes, {name}, {own:.1f} ms: {every / own:.1f} x", end="")
        print(flush=True)


def compared(truth: Answers, found: Answers, threshold: float) -> str:
    """Of those whom an exact search names, and of whether it names anybody."""
    meant, named = truth.distances <= threshold, found.distances <= threshold
    pairs = zip(truth.people, found.people, strict=True)
    same = np.array([one == other for one, other in pairs])
    recall = f", {np.mean(same[meant]):.4f} of them as the same" if meant.any() else ""
    return (
        f"at {threshold:.3f} {np.mean(meant):.2%} are named{recall}, and {np.sum(named != meant)} "
        f"of {len(meant)} decided otherwise than by every row"
    )


def main() -> None:
    made = argparse.ArgumentParser(description="Search among many encodings.")
    made.add_argument("--faces", type=Path, required=True, help="photos, a folder per person")
    made.add_argument("--encoder", default="retail0095")
    made.add_argument("--people", type=int, default=500_000, help="enrolled, two photos each")
    made.add_argument("--probes", type=int, default=4096, help="of people enrolled, and strangers")
    made.add_argument("--turns", type=int, default=32, help="batches of each kind that are timed")
    made.add_argument("--threads", type=int, default=2)
    log.configure(level="warning")
    run(made.parse_args())


if __name__ == "__main__":
    main()
