"""What workers say of themselves each second."""

from __future__ import annotations

from typing import Literal

import msgspec
import redis

from facetrail.roll_call import asked
from facetrail.store import Keys

#: A worker that has said nothing for so long has ended, or its machine hangs.
STATUS_TTL_S = 10

State = Literal["ready", "starting", "aside", "stopping", "halted"]


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker is; rates and shares are of the last second or so.

    state: aside while the gallery is of an encoder that it can't run; halted where a batch does
    not end. batch_fill: how full batches were, 0 to 1. busy: share of the time in which the
    encoder ran. delay_s: from the capture of a chip until it was counted, in the mean.
    """

    worker: str
    encoder: str
    state: State
    started_at: str
    faces: int
    faces_per_s: float
    batch_fill: float
    busy: float
    delay_s: float | None


def say_status(client: redis.Redis, keys: Keys, status: WorkerStatus) -> None:
    """Keeps it for `statuses`."""
    key = keys.worker_status(status.worker)
    client.set(key, msgspec.json.encode(status), ex=STATUS_TTL_S)


def statuses(client: redis.Redis, keys: Keys) -> list[WorkerStatus]:
    """Of those who run, by name."""
    # Who has not said it yet stays among the workers.
    said = asked(client, keys.workers, keys.worker_status).values()
    return [msgspec.json.decode(one, type=WorkerStatus) for one in said if one is not None]
