"""How much of this machine is there for cameras."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

#: What others need is taken as the mean over about so long, in seconds: nobody moves a camera
#: for a burst of work.
SMOOTHED_S = 30.0
#: A share of the machine that is always counted as there; else a busy host would read nothing.
LEAST_SHARE = 0.25

#: Of control groups, version 2: microseconds of processor within so many.
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_TICKS = os.sysconf("SC_CLK_TCK")


class SpareCores:
    """Cores of this machine less what other programs on it use."""

    def __init__(self) -> None:
        self._cores = own_cores()
        self._others = 0.0  # cores that other programs use, smoothed
        self._at = time.monotonic()
        self._busy = machine_s()
        self._ours: dict[int, float] = {}

    def measure(self, ours: Iterable[int]) -> float:
        """The cores that are there for us. ours: ids of our processes, whose work is no other's."""
        now, busy = time.monotonic(), machine_s()
        before = self._ours
        self._ours = {pid: process_s(pid) for pid in ours}
        own = sum(max(0.0, used - before.get(pid, 0.0)) for pid, used in self._ours.items())
        passed = now - self._at
        if passed > 0:
            others = max(0.0, busy - self._busy - own) / passed
            self._others += (others - self._others) * min(1.0, passed / SMOOTHED_S)
        self._at, self._busy = now, busy
        return max(LEAST_SHARE * self._cores, self._cores - self._others)


def own_cores() -> float:
    """Cores that this process may use: also in a container that is given a part of them."""
    cores = float(len(os.sched_getaffinity(0)))
    try:
        quota, period = _QUOTA.read_text().split()
        return min(cores, int(quota) / int(period))
    except (OSError, ValueError):  # no such file, or "max"
        return cores


def machine_s() -> float:
    """Seconds that all processors of the machine have worked since it started."""
    user, nice, system, _idle, _wait, irq, soft_irq = (
        int(ticks) for ticks in Path("/proc/stat").read_text().split(maxsplit=8)[1:8]
    )
    return (user + nice + system + irq + soft_irq) / _TICKS


def process_s(pid: int) -> float:
    """Seconds of processor that a process has used; 0 for one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS
