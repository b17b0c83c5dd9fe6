"""Codes find whoever is near, however an encoder spreads people."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from facetrail.wire import Encodings
from index import rows as searched
from index.codes import CODES, NUMBERS, TOLD, WIDTH, Codes, balanced, told
from index.rows import (
    EXACT,
    LISTED,
    REACH,
    ExactRows,
    Gone,
    HalfRows,
    ScannedRows,
    in_32_bits,
    searchable,
)

Unit = Callable[..., Encodings]


def crowded(count: int, seed: int = 0) -> Encodings:
    """Rows of length 1 that are all near to each other, most of all along some axes."""
    random = np.random.default_rng(seed)
    middle = np.random.default_rng(99).normal(size=NUMBERS)
    middle /= np.linalg.norm(middle)
    widths = 0.1 * np.exp(-np.arange(NUMBERS) / 12)
    rows = middle + random.normal(size=(count, NUMBERS)) * widths
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def found(known: Encodings, probes: Encodings, among: int) -> float:
    """The share of probes whose nearest row is among so many of the nearest codes."""
    truth = np.argmax(probes @ known.T, axis=1)
    _, rows = Codes(known).nearest(probes, among)
    return float(np.mean((rows == truth[:, None]).any(axis=1)))


def nobody(count: int) -> Gone:
    """None of so many rows is gone."""
    return np.zeros(count, np.bool_)


def test_codes_find_the_nearest_of_rows_that_lie_in_all_directions(unit: Unit) -> None:
    known = unit(20_000)
    probes = known[:500] + 0.6 * unit(500, seed=1)
    assert found(known, np.asarray(probes, np.float32), 64) == 1


def test_codes_find_the_nearest_of_rows_that_are_all_near_to_each_other() -> None:
    assert found(crowded(20_000), crowded(500, seed=1), 64) >= 0.99


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_no_more_codes_are_nearest_than_there_are(unit: Unit, kind: type) -> None:
    _, rows = Codes(unit(30).astype(kind)).nearest(unit(3, seed=1), 100)
    assert [sorted(row) for row in rows] == [list(range(30))] * 3


def test_rows_that_are_all_the_same_are_coded_too(unit: Unit) -> None:
    similarities, _ = ScannedRows(np.repeat(unit(1), 100, axis=0)).nearest(
        unit(1), nobody(100), None
    )
    assert similarities == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("known", [crowded(20_000), None])
def test_codes_tell_inner_products_and_how_far_they_are_off(
    unit: Unit, known: Encodings | None
) -> None:
    known = unit(20_000) if known is None else known
    codes, probes = Codes(known), known[::400] + 0.3 * unit(50, seed=1)
    probes = np.asarray(probes / np.linalg.norm(probes, axis=1, keepdims=True), np.float32)
    similarities, rows = codes.nearest(probes, len(known))
    assert np.all(np.diff(similarities, axis=1) <= 1e-6)
    wrong = np.take_along_axis(probes @ known.T, rows, axis=1) - similarities
    assert abs(wrong.mean()) < 0.1 * codes.off
    assert wrong.std() == pytest.approx(codes.off, rel=0.2)


def test_encodings_are_turned_and_not_bent() -> None:
    rows = crowded(1000)
    turned = rows @ balanced(rows)
    assert turned.shape == (1000, CODES * WIDTH)
    assert turned @ turned.T == pytest.approx(rows @ rows.T, abs=1e-4)


def test_every_code_carries_much() -> None:
    rows = crowded(5000)
    widths = np.var(rows @ balanced(rows), axis=0).reshape(CODES, WIDTH).max(axis=1)
    widest = np.sort(np.linalg.eigvalsh(np.cov(rows.T)))[-CODES:]
    assert np.sort(widths) == pytest.approx(widest, rel=0.01)  # each has one of the widest axes


def test_what_a_codes_length_tells_is_learned() -> None:
    random = np.random.default_rng(0)
    true = random.normal(size=10_000).astype(np.float32)
    noise = random.normal(size=10_000).astype(np.float32)
    assert told(true, true) == 1
    assert told(true + noise, true) == pytest.approx(0.5, abs=0.05)
    assert told(noise, true) == TOLD
    assert told(np.zeros_like(true), true) == TOLD


@pytest.mark.parametrize("kind", [ScannedRows, HalfRows])
def test_scanned_rows_are_told_best_first(
    unit: Unit, kind: type[ScannedRows] | type[HalfRows]
) -> None:
    known = unit(3000)
    rows = kind(known)
    for probes in (unit(5, seed=1), known[:32], known[:1], known[:0]):
        similarities, places = rows.nearest(probes, nobody(3000), None)
        assert similarities.shape == places.shape == (len(probes), LISTED)
        assert np.all(np.diff(similarities, axis=1) <= 0)
        true = np.take_along_axis(probes @ known.T, places, axis=1)
        assert similarities == pytest.approx(true, abs=1e-3)
        for probe in probes:
            assert rows.similarities(probe) == pytest.approx(known @ probe, abs=1e-3)


@pytest.mark.parametrize("kind", [ScannedRows, HalfRows])
def test_whether_anybody_is_near_enough_is_looked_for_more_than_who_is_nearest(
    unit: Unit, kind: type[ScannedRows] | type[HalfRows], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given strangers, of whom half are as near to somebody as is asked for
    known, probes = unit(5000), unit(400, seed=1)
    rows, best = kind(known), np.max(probes @ known.T, axis=1)
    least = float(np.median(best))
    monkeypatch.setattr(searched, "SCANNED", 8)

    def decided_otherwise(reach: float) -> int:
        monkeypatch.setattr(searched, "REACH", reach)
        similarities, _ = rows.nearest(probes, nobody(5000), least)
        return np.count_nonzero((similarities[:, 0] >= least) != (best >= least))

    # I expect that they are told apart as by every row, and not by the first few alone
    assert decided_otherwise(-100) >= 10
    assert decided_otherwise(REACH) <= 1


@pytest.mark.parametrize("kind", [ScannedRows, HalfRows])
def test_who_is_gone_does_not_keep_others_from_being_found(
    unit: Unit, kind: type[ScannedRows] | type[HalfRows], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given more rows than are compared at first that are just like somebody, and are gone
    monkeypatch.setattr(searched, "SCANNED", LISTED)
    known, probe = unit(5000), unit(1, seed=1)
    rows = kind(np.concatenate([known, np.repeat(probe, 2 * LISTED, axis=0)]))
    gone = np.arange(len(rows.encodings)) >= 5000
    truth = int(np.argmax(known @ probe[0]))

    _, places = rows.nearest(probe, gone, float(known[truth] @ probe[0]) - 1e-3)
    assert places[0][0] == truth


def test_all_numbers_of_16_bits_are_the_same_in_32() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    assert np.array_equal(in_32_bits(finite), finite.astype(np.float32))


def test_the_way_of_searching_goes_by_how_many_there_are(unit: Unit) -> None:
    some = np.repeat(unit(1), EXACT + 1, axis=0)
    assert isinstance(searchable(some[:-1]), ExactRows)
    assert isinstance(searchable(some[:-1], half=True), ExactRows)
    assert isinstance(searchable(some), ScannedRows)
    assert isinstance(searchable(some, half=True), HalfRows)
