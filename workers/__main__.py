"""`python -m workers`: opens the encoder, follows the gallery, then takes chips."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable
from functools import partial

import cv2
import faiss
import numpy as np
import redis
import structlog
from celery import signals
from celery.worker import state
from threadpoolctl import threadpool_limits

from facetrail import log as logging
from facetrail.errors import FacetrailError
from facetrail.heaps import few_heaps, give_back_freed
from facetrail.redis_keeping import warn_of_losses
from facetrail.settings import Settings, read_settings
from facetrail.sightings import expire
from facetrail.store import Keys, connect, waited_for
from facetrail.threads import end_process_if_a_thread_fails
from facetrail.wire import Encoder
from index.gallery import Gallery
from index.replica import Replica
from index.unfinished import Unfinished
from workers.app import serve, worker_app
from workers.batcher import HALT_S, Batcher
from workers.condition import Condition
from workers.encoders.choice import chosen_encoder, is_here
from workers.health import HealthServer
from workers.measures import Measures
from workers.strangers import Strangers
from workers.tasks import Service, register
from workers.teller import PAUSE_S, Teller
from workers.vote import Votes

SWEEP_S = 0.5
HEAPS = 2
#: Every so many seconds what was freed is given back.
GIVE_BACK_S = 10.0
#: For the status of a worker that ends.
LAST_WORDS_S = 2.0

log = structlog.get_logger(__name__)


def run(settings: Settings) -> int:
    """Takes chips until SIGTERM or SIGINT; the exit status. Raises FacetrailError."""
    few_heaps(HEAPS)
    cv2.setNumThreads(1)
    # Searches are of a batch, and take turns with the encoder; and what helps them waits in a loop.
    threadpool_limits(1, user_api="blas")
    faiss.omp_set_num_threads(1)  # of this thread: each has its own number
    stop, ended = threading.Event(), threading.Event()
    end_when_asked()  # until Celery has its own way
    end_process_if_a_thread_fails()
    name = settings.worker_name or drawn_name()
    service = opened(settings, name, stop)
    condition = Condition(service)
    server = served(settings, service, condition)
    app = worker_app(settings, is_working=service.batcher.is_working)
    register(app, service)
    aside = told_by_celery(service, condition)
    start("replica", partial(service.replica.follow, ended, mismatched=aside))
    start("sweep", partial(sweep, service, ended))
    start("memory", partial(keep_small, ended))
    saying = start("condition", partial(condition.say_until, ended, name, service.measures))
    log.info("worker starts", worker=name, encoder=service.encoder.id)
    try:
        # The prefetch is as large as the pool, so that a batch can fill.
        threads = max(settings.pool_threads, settings.batch_size + 1)
        status = serve(app, name, pool="threads", concurrency=threads, prefetch=1)
        end_when_asked()
        anew = condition.leaves.is_set() and not condition.stops.is_set()
        if anew:
            stand_aside(service, settings)
    finally:
        ended.set()
        stop.set()
        service.close()
        saying.join(LAST_WORDS_S)
        if server is not None:
            server.close()
        log.info("worker ended", worker=name)
    if anew:
        log.info("the worker starts anew with the gallery's encoder")
        os.environ["FACETRAIL_WORKER_NAME"] = name  # or its former one is listed for a minute
        os.execv(sys.executable, [sys.executable, "-m", "workers"])
    return status


def start(name: str, target: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        faiss.omp_set_num_threads(1)
        target()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread


def end_what_hangs() -> None:
    """A batch that never ends must not keep the process: what it has comes again elsewhere."""
    timer = threading.Timer(HALT_S, os._exit, [1])
    timer.daemon = True
    timer.start()


def served(settings: Settings, service: Service, condition: Condition) -> HealthServer | None:
    """What serves health and measures, if that is wanted. Raises BadSettings."""
    if settings.metrics_port is None:
        return None
    host, port, registry = settings.metrics_host, settings.metrics_port, service.measures.registry
    server = HealthServer(host, port, registry=registry, live=condition.live, ready=condition.ready)
    log.info("metrics and health are served", host=host, port=server.port)
    return server


def told_by_celery(service: Service, condition: Condition) -> Callable[[], None]:
    """Follows Celery's start and end; what has the worker leave the queue and stay."""

    def takes(**_: object) -> None:
        condition.takes.set()

    def shutting_down(**_: object) -> None:
        condition.stops.set()
        service.stop.set()  # the tasks no longer wait for a Redis that is away
        service.batcher.give_up()
        end_what_hangs()

    def leave_the_queue() -> None:
        condition.leaves.set()
        service.stop.set()
        state.should_stop = os.EX_OK  # what Celery's own handler of SIGTERM sets

    signals.worker_ready.connect(takes, weak=False)
    signals.worker_shutting_down.connect(shutting_down, weak=False)
    return leave_the_queue


def end_when_asked() -> None:
    """SIGTERM and SIGINT end the process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))


def stand_aside(service: Service, settings: Settings) -> None:
    """Waits, off the queue, until the gallery is of an encoder that this worker can run."""
    while not can_serve(service, settings):
        time.sleep(PAUSE_S)


def can_serve(service: Service, settings: Settings) -> bool:
    """Whether a worker that starts now would recognise anybody."""
    try:
        own = Gallery(service.client, service.keys).encoder
    except redis.RedisError:
        return False
    if own is None or own == service.encoder.id:
        return True
    return settings.encoder is None and is_here(own, settings)


def drawn_name() -> str:
    """Containers on one host's network share its name, and often the process id."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"


def opened(settings: Settings, name: str, stop: threading.Event) -> Service:
    """The encoder, warm, and the gallery, read. Raises FacetrailError."""
    client, keys = connect(settings.redis_url), Keys(settings.key_prefix)
    waited_for(client, stop)
    warn_of_losses(client)
    encoder = chosen_encoder(Gallery(client, keys).encoder, settings)
    warm_up(encoder, settings.batch_size)
    replica = Replica(client, keys, worker=name, encoder=encoder.id, half=settings.index_half)
    replica.load()
    strangers = Strangers(client, keys, encoder=encoder.id)
    strangers.load()
    votes = Votes(
        client,
        keys,
        confirm=settings.confirm_chips,
        unknown=settings.unknown_chips,
        history=settings.event_history,
        snapshot_ttl_s=settings.snapshot_ttl_s,
        unknown_ttl_s=settings.unknown_ttl_s,
        redelivery_s=settings.redelivery_s,
        strangers=strangers,
    )
    wait_s = settings.batch_wait_ms / 1000
    batcher = Batcher(encoder.encode, size=settings.batch_size, wait_s=wait_s)
    measures = Measures(client, keys, batcher)
    return Service(
        client=client,
        keys=keys,
        encoder=encoder,
        replica=replica,
        batcher=batcher,
        votes=votes,
        teller=Teller(replica, votes, encoder, stop, name=name, counted=measures.recognised),
        measures=measures,
        chip_ttl_s=settings.chip_ttl_s,
        stop=stop,
    )


def warm_up(encoder: Encoder, batch_size: int) -> None:
    """The first run of each size costs more than all later ones; no chip has to wait for it."""
    for size in (*powers_of_two(batch_size), batch_size):
        encoder.encode(np.zeros((size, 112, 112, 3), np.uint8))


def powers_of_two(end: int) -> list[int]:
    """Below the end: 1, 2, 4."""
    return [1 << place for place in range((end - 1).bit_length())]


def sweep(service: Service, ended: threading.Event) -> None:
    """Closes votes whose time is up, drops such sightings, and ends what changes of the gallery
    have begun; each whatever becomes of the others.
    """
    client, keys = service.client, service.keys
    tasks: dict[str, Callable[[], object]] = {
        "votes": service.close_votes,
        "sightings": partial(expire, client, keys),
        "strangers": service.votes.strangers.follow,
        "erasures and merges": Unfinished(Gallery(client, keys)).finish,
    }
    while not ended.wait(SWEEP_S):
        if not all([_is_done(name, task) for name, task in tasks.items()]):
            ended.wait(PAUSE_S)


def keep_small(ended: threading.Event) -> None:
    """What a busy moment took goes back soon after."""
    while not ended.wait(GIVE_BACK_S):
        give_back_freed()


def _is_done(name: str, task: Callable[[], object]) -> bool:
    try:
        task()
    except redis.RedisError as error:  # away, or full and refusing to write
        log.warning("nothing swept", what=name, error=str(error))
        return False
    return True


def main() -> int:
    # Celery's advice against root is about pickle, which is not accepted here.
    warnings.filterwarnings("ignore", message="You're running the worker with superuser")
    try:
        settings = read_settings()
        logging.configure(level=settings.log_level, as_json=settings.log_json)
        return run(settings)
    except FacetrailError as error:
        print(f"facetrail worker: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
