"""A worker that writes down what its encoder is given: ours, or one of a library as it comes.

python -m tests.workers.delivery.beside ours|kombu|celery-batches URL FILE [--sleep-ms 1000] …

Those of the libraries encode and count, and do nothing else: kombu's with a task for each message,
celery-batches' with a task for many.
"""

from __future__ import annotations

import argparse
import json
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from celery import Celery, signals

from benchmarks.kills import app_of
from benchmarks.stand_in import StandIn
from facetrail.broker import celery_app
from facetrail.settings import read_settings
from facetrail.store import Keys, connect
from facetrail.wire import CHIP_SHAPE, TASK, Chips, Encodings, Message
from workers import __main__ as worker
from workers.app import serve
from workers.batcher import HALT_S
from workers.recognise import read_picture

FLUSH_EVERY = 32


class Watched(StandIn):
    """Writes a line for each batch, before it sleeps or, asked to, fails at the first."""

    def __init__(self, file: Path, sleep_s: float, *, fails: bool) -> None:
        super().__init__(sleep_s)
        self._file, self._fails = file, fails

    def encode(self, chips: Chips) -> Encodings:
        if chips.any():  # not at the warm-up
            note(self._file, "batch", len(chips))
            fails, self._fails = self._fails, False
            if fails:
                raise RuntimeError("out of memory on the GPU")
        return super().encode(chips)


def note(file: Path, what: str, value: object) -> None:
    with file.open("a") as lines:
        lines.write(json.dumps([what, os.getpid(), value]) + "\n")


def stock_app(url: str, *, redelivers: bool) -> Celery:
    """redelivers: within seconds, as far as it can be set to; else as it comes."""
    if redelivers:
        return app_of("kombu", url)
    app = celery_app(url, key_prefix=Keys().prefix)
    app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True)
    return app


def serve_stock(app: Celery, url: str, encoder: Watched, given: argparse.Namespace) -> None:
    client = connect(url)

    def recognise(bodies: Sequence[bytes]) -> None:
        chips = [chip for body in bodies for chip in Message.parse(body).chips]
        pictures = np.empty((len(chips), *CHIP_SHAPE), np.uint8)
        for chip, picture in zip(chips, pictures, strict=True):
            read_picture(chip, picture)
        encoder.encode(pictures)
        client.hincrby(Keys().counters, "recognised", len(chips))

    if given.library == "kombu":

        @app.task(name=TASK, shared=False)  # type: ignore[untyped-decorator]
        def of_one(data: bytes) -> None:
            recognise([data])

        serve(app, None, pool="threads", concurrency=4, prefetch=1)
        return
    from celery_batches import Batches

    options = {"flush_every": FLUSH_EVERY, "flush_interval": given.wait_ms / 1000}

    @app.task(base=Batches, name=TASK, shared=False, **options)  # type: ignore[untyped-decorator]
    def of_many(requests: Sequence[Any]) -> None:
        recognise([request.args[0] for request in requests])

    serve(app, None, pool="prefork", concurrency=1, prefetch=4)  # Celery's own prefetch


def main() -> None:
    made = argparse.ArgumentParser()
    made.add_argument("library", choices=("ours", "kombu", "celery-batches"))
    made.add_argument("url")
    made.add_argument("file", type=Path)
    made.add_argument("--sleep-ms", type=float, default=0, help="for a batch of 32")
    made.add_argument("--wait-ms", type=float, default=30, help="for a batch to fill")
    made.add_argument("--fails", action="store_true", help="at its first batch")
    made.add_argument("--halt-s", type=float, default=HALT_S, help="how long a batch may last")
    made.add_argument("--redelivers", action="store_true", help="soon, of kombu's too")
    given = made.parse_args()
    warnings.filterwarnings("ignore", message="You're running the worker with superuser")
    encoder = Watched(given.file, given.sleep_ms / 1000, fails=given.fails)
    signals.worker_ready.connect(lambda **_: note(given.file, "ready", None), weak=False)
    if given.library != "ours":
        app = stock_app(given.url, redelivers=given.redelivers)
        serve_stock(app, given.url, encoder, given)
        return
    os.environ.pop("FACETRAIL_ENCODER", None)
    own = {"redis_url": given.url, "batch_wait_ms": int(given.wait_ms)}
    soon = {"redelivery_s": 3} if given.redelivers else {}
    halt = patch("workers.batcher.HALT_S", given.halt_s)
    with halt, patch.object(worker, "chosen_encoder", lambda own, settings: encoder):
        worker.run(read_settings().model_copy(update=own | soon))


if __name__ == "__main__":
    main()
