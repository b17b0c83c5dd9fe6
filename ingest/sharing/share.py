"""How cameras are shared among hosts: by the cores each has for them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ingest.sharing.hosts import Host

#: A camera moves only if the host that gets it is then this much less loaded than the giver was:
#: neither of two hosts whose loads waver gives a camera back that it has just got.
PAYS = 1.1
#: Cameras given back at a time; each is not read for the seconds that a process takes to start.
MOST_AT_ONCE = 4


def fair_share(cameras: int, us: Host, others: Sequence[Host]) -> int:
    """The most of all cameras that we take as they become free."""
    cores = us.cores + sum(host.cores for host in others)
    return math.ceil(cameras * us.cores / cores - 1e-9)


def given(us: Host, others: Sequence[Host]) -> list[str]:
    """Our cameras that other hosts should have: none unless we are the most loaded."""
    if max([us, *others], key=lambda host: (host.load, host.name)) is not us:
        return []
    counts = {host.name: len(host.cameras) for host in [us, *others]}
    left, away = list(us.cameras), list[str]()
    while len(away) < MOST_AT_ONCE:
        # Others may have another camera file than we: none is given to whom does not want it.
        moves = [
            ((counts[host.name] + 1) / host.cores, host.name, camera)
            for host in others
            if (camera := next((name for name in left if name in host.wants), None))
        ]
        load, getter, camera = min(moves, default=(math.inf, "", ""))
        if load * PAYS >= counts[us.name] / us.cores:
            break
        left.remove(camera)
        away.append(camera)
        counts[us.name] -= 1
        counts[getter] += 1
    return away
