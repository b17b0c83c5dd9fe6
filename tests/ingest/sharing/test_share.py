"""Cameras are shared by cores, spread when a host joins, and do not move to and fro."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.sharing.hosts import Host
from ingest.sharing.share import fair_share
from ingest.sharing.share import given as given_away

#: Every host's file names every camera there can be.
ALL = frozenset(
    f"{name}{i}" for name in ("a", "b", "c", *map("h{}".format, range(6))) for i in range(200)
)


def host(name: str, cameras: int, cores: float = 4.0) -> Host:
    mine = tuple(f"{name}{i}" for i in range(cameras))
    return Host(name=name, cores=cores, cameras=mine, wants=ALL)


def gives(us: Host, others: list[Host]) -> int:
    return len(given_away(us, others))


def test_the_shares_of_all_hosts_hold_all_cameras() -> None:
    hosts = [host("a", 0), host("b", 0), host("c", 0, cores=2.0)]
    shares = [fair_share(12, us, [h for h in hosts if h is not us]) for us in hosts]
    assert shares == [5, 5, 3]
    assert fair_share(12, host("a", 0), []) == 12
    assert fair_share(9, host("a", 0, cores=0.3), [host("b", 0, cores=0.6)]) == 3


def test_a_host_that_joins_gets_cameras_of_the_most_loaded() -> None:
    a, b, c = host("a", 6), host("b", 7), host("c", 0)
    assert gives(b, [a, c]) == 3
    assert gives(host("b", 30), [host("c", 0)]) == 4
    assert gives(a, [b, c]) == 0
    assert gives(c, [a, b]) == 0
    assert gives(host("a", 5), [host("c", 3)]) == 1
    assert gives(host("a", 5), [host("c", 4)]) == 0


def test_a_host_alone_keeps_what_it_has() -> None:
    assert gives(host("a", 100), []) == 0
    assert gives(host("a", 0), []) == 0


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.floats(0.5, 16), st.floats(0.96, 1.04)),
        min_size=2,
        max_size=6,
    )
)
def test_giving_comes_to_an_end_however_loads_waver(rows: list[tuple[int, float, float]]) -> None:
    # Given hosts with any number of cameras, whose spare cores waver by a few percent
    cores = {f"h{i}": row[1] for i, row in enumerate(rows)}
    wavers = {f"h{i}": row[2] for i, row in enumerate(rows)}
    counts = {f"h{i}": row[0] for i, row in enumerate(rows)}
    total, moves = sum(counts.values()), 0

    # If each round the one that should give does, to the one that is then the least loaded
    for turn in range(400):
        now = {n: c * (wavers[n] if turn % 2 else 1.0) for n, c in cores.items()}
        hosts = [host(name, counts[name], now[name]) for name in counts]
        given_by = {us.name: gives(us, [h for h in hosts if h is not us]) for us in hosts}
        for name, number in given_by.items():
            for _ in range(number):
                others = [n for n in counts if n != name]
                gets = min(others, key=lambda n: (counts[n] + 1) / now[n])
                counts[name] -= 1
                counts[gets] += 1
                moves += 1
        last = sum(given_by.values())

    # I expect it to be quiet in the end, after no more moves than there are cameras
    assert last == 0
    assert moves <= total
    for name, count in counts.items():
        assert count <= 1 + 1.3 * total * cores[name] / sum(cores.values()) + 1


def test_nothing_is_given_to_who_does_not_want_it() -> None:
    # Given a host whose file names one camera only, and is not loaded
    few = Host(name="b", cores=4.0, cameras=(), wants=frozenset({"a3"}))

    # I expect the other to give that one, and then none
    assert given_away(host("a", 10), [few]) == ["a3"]
    has = Host(name="b", cores=4.0, cameras=("a3",), wants=frozenset({"a3"}))
    nine = Host(name="a", cores=4.0, cameras=("a0", "a1", "a2", "a4"), wants=ALL)
    assert given_away(nine, [has]) == []
