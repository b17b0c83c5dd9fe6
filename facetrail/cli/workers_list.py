"""`facetrail workers list`: how each worker is, and what waits for them."""

from __future__ import annotations

import msgspec
from rich.console import Console
from rich.table import Table

from facetrail.cli.json_line import print_json
from facetrail.queue_state import counters
from facetrail.settings import Settings
from facetrail.store import Keys, answered, checked, connect
from facetrail.worker_status import WorkerStatus, statuses
from workers.measures import queue_state


class WorkerList(msgspec.Struct, frozen=True, kw_only=True):
    """What `workers list --json` prints.

    waiting: messages that nobody has taken. in_hand: that workers have. oldest_s: age of the
    oldest chip that waits. counters: chips by what became of them since ever.
    """

    workers: list[WorkerStatus]
    waiting: int
    in_hand: int
    oldest_s: float
    counters: dict[str, int]


def run(settings: Settings, *, as_json: bool) -> None:
    """Raises RedisAway."""
    client, keys = checked(connect(settings.redis_url)), Keys(settings.key_prefix)
    with answered(client):
        queue = queue_state(client, keys)
        found = WorkerList(
            workers=statuses(client, keys),
            waiting=queue.messages,
            in_hand=queue.held,
            oldest_s=round(queue.oldest_s, 3),
            counters=counters(client, keys),
        )
    if as_json:
        print_json(found)
    else:
        _print(found)


def _print(found: WorkerList) -> None:
    table = Table("worker", "state", "encoder", "faces/s", "batches full", "busy", "delay")
    for one in found.workers:
        delay = "" if one.delay_s is None else f"{one.delay_s:.2f} s"
        shares = f"{one.batch_fill:.0%}", f"{one.busy:.0%}"
        table.add_row(one.worker, one.state, one.encoder, f"{one.faces_per_s:.0f}", *shares, delay)
    Console().print(table)
    oldest = f", the oldest chip for {found.oldest_s:.1f} s" if found.waiting else ""
    print(f"{found.waiting} messages wait{oldest}; {found.in_hand} are in hand")
    if found.counters:
        print("since ever: " + ", ".join(f"{n} {name}" for name, n in found.counters.items()))
    if not found.workers:
        print("no worker runs: start one with `facetrail worker`")
