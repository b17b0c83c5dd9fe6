"""How cameras are shared among hosts: by the cores each has for them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ingest.hosts import Host

#: A camera moves only if the host that gets it is then this much less loaded than the giver was:
#: neither of two hosts whose loads waver gives a camera back that it has just got.
PAYS = 1.1
#: Cameras given back at a time; each is not read for the seconds that a process takes to start.
MOST_AT_ONCE = 4


def fair_share(cameras: int, us: Host, others: Sequence[Host]) -> int:
    """The most of all cameras that we take as they become free."""
    cores = us.cores + sum(host.cores for host in others)
    return math.ceil(cameras * us.cores / cores - 1e-9)


def gives(us: Host, others: Sequence[Host]) -> int:
    """How many of our cameras other hosts should have: none unless we are the most loaded."""
    hosts = [us, *others]
    if max(hosts, key=lambda host: (host.load, host.name)) is not us:
        return 0
    counts = [len(host.cameras) for host in hosts]
    for given in range(MOST_AT_ONCE):
        loads = [(count + 1) / host.cores for count, host in zip(counts, hosts, strict=True)]
        least = min(range(1, len(hosts)), key=loads.__getitem__, default=0)
        if not least or loads[least] * PAYS >= counts[0] / us.cores:
            return given
        counts[0] -= 1
        counts[least] += 1
    return MOST_AT_ONCE
